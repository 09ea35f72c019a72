"""Brings a PostgreSQL ledger's tables to the form that this version reads: numbered files of SQL, each run once.

Safe to run twice, and by two processes at once: the second waits, and finds nothing left to do. Each file is one
transaction with the row that says it was run.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import NamedTuple

import psycopg
from psycopg.sql import SQL, Identifier

from core.errors import LedgerError

LOCK = (8420, 0)
"""Of PostgreSQL's advisory locks; the second number 0 is no schema's."""

NAME = re.compile(r"(\d{4})_\w+\.sql")


class Migration(NamedTuple):
    """One step from one form of the tables to the next."""

    number: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """All that this version knows, in order."""
    return sorted(
        Migration(int(match[1]), file.name, file.read_text("utf-8"))
        for file in files("core.ledger.postgres").joinpath("migrations").iterdir()
        if (match := NAME.fullmatch(file.name))
    )


FORM = max(migration.number for migration in migrations())
"""Number of the tables' form that this version reads and writes."""


def migrate(connection: psycopg.Connection[tuple[object, ...]], schema: str) -> list[str]:
    """Run what was not run yet on a connection in autocommit mode; the names of it. LedgerError when the ledger was
    made by a newer version."""
    execute = connection.execute
    execute("SELECT pg_advisory_lock(%s, %s)", LOCK)
    try:
        encoding = execute("SHOW server_encoding").fetchone()
        if encoding != ("UTF8",):
            raise LedgerError(f"the database's encoding is {(encoding or ('',))[0]}: make one with ENCODING 'UTF8'")
        for name in (schema, views_schema(schema)):
            if execute("SELECT FROM pg_namespace WHERE nspname = %s", (name,)).fetchone() is None:
                # Asked first: whoever owns the schemas need not be let make others.
                execute(SQL("CREATE SCHEMA {}").format(Identifier(name)))
        # Named last, or temporary tables would be found first, also by a function that runs as its owner.
        execute(SQL("SET search_path TO {}, pg_temp").format(Identifier(schema)))
        execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (number int PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
        )
        form = form_of(connection)
        if form > FORM:
            raise LedgerError(unfit(form))
        done = []
        for migration in migrations():
            if migration.number > form:
                with connection.transaction():
                    # Sent without parameters, so that it may hold several statements.
                    execute(migration.sql)
                    execute("INSERT INTO migrations (number, name) VALUES (%s, %s)", (migration.number, migration.name))
                done.append(migration.name)
        # What is new since, a role that was let do this is to be let do, too.
        for role in _granted(connection):
            grant(connection, schema, role)
        return done
    finally:
        execute("SELECT pg_advisory_unlock(%s, %s)", LOCK)


def grant(connection: psycopg.Connection[tuple[object, ...]], schema: str, role: str) -> None:
    """Let a role read the ledger, write it by its function alone, and make and follow views."""
    names = {"schema": Identifier(schema), "views": Identifier(views_schema(schema)), "role": Identifier(role)}
    with connection.transaction():
        for statement in (
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
            "GRANT EXECUTE ON FUNCTION {schema}.append TO {role}",
            # What holds nothing that is not in the events.
            "GRANT INSERT, UPDATE ON {schema}.snapshots TO {role}",
            "GRANT UPDATE ON {schema}.leader TO {role}",
            "GRANT INSERT, UPDATE, DELETE ON {schema}.marks TO {role}",
            "GRANT USAGE, CREATE ON SCHEMA {views} TO {role}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {views} TO {role}",
        ):
            connection.execute(SQL(statement).format(**names))


def _granted(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """Roles that were let write the ledger, but for its owner."""
    rows = connection.execute(
        "SELECT grantee::regrole::text FROM pg_proc, aclexplode(proacl)"
        " WHERE oid = to_regproc('append') AND privilege_type = 'EXECUTE' AND grantee NOT IN (0, proowner)"
    ).fetchall()
    return [str(role).strip('"').replace('""', '"') for (role,) in rows]


def views_schema(schema: str) -> str:
    """Where the views of the ledger in *schema* are. Not beside it: who may make tables there could also make what its
    function, which runs as its owner, would take for its own."""
    return f"{schema}_views"


def form_of(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    """The number of the last migration that was run in the schema first on the search path; 0: none was."""
    if connection.execute("SELECT to_regclass('migrations') IS NULL").fetchone() == (True,):
        return 0
    row = connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]


def unfit(form: int) -> str:
    """The line for a ledger whose tables are not of FORM."""
    if form < FORM:
        return f"the database has no ledger of form {FORM}: `hookledger migrate` it"
    return f"the ledger has form {form}, this version reads {FORM}: start the version that migrated it, or a newer one"
