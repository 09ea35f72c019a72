"""SQL for SQLite in the words of PostgreSQL; pure.

What our views say is written so that both understand it. Here is the rest: types, hints, functions and marks. And many
rows go as arrays, one for each column: one statement, whatever their number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

WORDS = (
    (r"%", "%%"),
    (r"\?", "%s"),
    (r"\bINTEGER\b", "bigint"),
    (r"\bBLOB\b", "bytea"),
    (r" WITHOUT ROWID\b", ""),
    (r"\bNOT INDEXED\b", ""),
    (r"\binstr\(", "pg_catalog.position("),
    # Of several values; of one they are the same in both.
    (r"\bmax\((?=(?:[^,()]|\([^()]*\))*,)", "greatest("),
    (r"\bmin\((?=(?:[^,()]|\([^()]*\))*,)", "least("),
)

ARM = re.compile(r"\bINDEXED BY \w+ (WHERE .*? LIMIT )")
"""PostgreSQL takes no orders. It would walk through all rows by their key, in hope of the few that are asked for. So
where an index is named the key is said in a way that only an index knows which ends with it, said the same way."""

TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \((\w+)")
INDEX = re.compile(r"(CREATE INDEX IF NOT EXISTS \w+ ON (\w+) \()([^)]+)(\).*)")


@cache
def translated(sql: str) -> bytes:
    """A statement as psycopg takes it, when it is given what is bound."""
    sql = ARM.sub(lambda arm: arm[1].replace("h.number", "(h.number+0)"), sql)
    for pattern, word in WORDS:
        sql = re.sub(pattern, word, sql)
    return sql.encode()


def tables(statements: Iterable[str]) -> list[bytes]:
    """Statements that make a view's tables and their indexes, each table before its indexes. The first column of a
    table is its key. An entry of SQLite's indexes ends with the row's key by itself; here it is said."""
    keys: dict[str, str] = {}
    made = []
    for statement in statements:
        whole = statement
        if table := TABLE.match(statement):
            keys[table[1]] = table[2]
        elif index := INDEX.match(statement):
            begins, name, columns, ends = index.groups()
            rest = "" if keys[name] in columns.split(", ") else f", ({keys[name]}+0)"
            whole = begins + columns + rest + ends
        made.append(translated(whole))
    return made


@cache
def inserting(table: str, kinds: Sequence[str], otherwise: str) -> bytes:
    """Insert rows of which each column is an array."""
    # Side by side, and not as one table of several columns, they are not laid down first.
    columns = ", ".join(f"unnest(%b::{kind}[])" for kind in kinds)
    return f"INSERT INTO {table} SELECT {columns}".encode() + translated(otherwise)


@cache
def updating(table: str, columns: Sequence[str], kinds: Sequence[str]) -> bytes:
    """Change rows; their keys are the first array, and what they get are the others."""
    given = ", ".join(f"unnest(%b::{kind}[]) AS {name}" for name, kind in zip(columns, kinds, strict=True))
    changes = ", ".join(f"{name}=v.{name}" for name in columns[1:])
    key = columns[0]
    return f"UPDATE {table} SET {changes} FROM (SELECT {given}) AS v WHERE {table}.{key}=v.{key}".encode()


@cache
def among(sql: str) -> bytes:
    """A statement with `IN ({})`, for an array of numbers."""
    return translated(sql.replace("IN ({})", "= ANY(?::bigint[])"))
