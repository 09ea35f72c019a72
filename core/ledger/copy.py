"""A whole ledger copied into an empty one, row by row and in order of position; what was begun can be gone on with.

Both ends are stores: of SQLite in copy_sqlite.py, of PostgreSQL in copy_postgres.py. Snapshots are not copied: they
hold nothing that is not in the events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from core.errors import ConflictError, LedgerError
from core.limits import COPY_EVENTS_MAX

HASHED_ROWS = 500
"""Hashed at once; in both ledgers the same."""

Row = tuple[Any, ...]
OnCopied = Callable[[int, int], None]
"""Called after each transaction with the last position in it, and that of the whole ledger."""


class Table(NamedTuple):
    """Columns by name and by PostgreSQL's types; rows are in the order of the first one."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]


COMMITS = Table("commits", ("last", "first", "at"), ("int8", "int8", "int8"))
OF_COMMITS = (
    Table("events", ("position", "stream", "version", "topic", "state"), ("int8", "bytea", "int8", "text", "bytea")),
    Table("claims", ("position", "key"), ("int8", "bytea")),
    Table("bodies", ("position", "salt", "data", "payload"), ("int8", "bytea", "bytea", "bytea")),
    Table("landmarks", ("position",), ("int8",)),
)
"""What belongs to the commit in which its position is."""
KEY_CHECK = Table("key_check", ("sealed",), ("bytea",))
BESIDE = (
    Table("secrets", ("id", "webhook", "sealed"), ("bytea", "bytea", "bytea")),
    Table("directories", ("tenant", "version"), ("text", "bytea")),
    KEY_CHECK,
)
"""What has no position: it is small, and comes last."""


class Rows(Protocol):
    """One state of a ledger."""

    def stream(self, table: Table, after: int | None = None) -> Iterator[Row]:
        """Rows in order, read as they are asked for; those whose first column is more than *after*."""
        ...


class Store(Protocol):
    """One end of a copy. What goes wrong in it is a LedgerError that names it."""

    @property
    def path(self) -> Path | str: ...
    @property
    def identity(self) -> bytes: ...
    def rows(self, sql: str) -> list[Row]: ...
    def reading(self) -> AbstractContextManager[Rows]: ...

    def begin(self, identity: bytes) -> None:
        """Be that ledger from now on, and nobody's to use before `finish`."""
        ...

    def fill(self, tables: Iterable[tuple[Table, Iterable[Row]]], *, anew: bool = False) -> None:
        """Add rows to all of the tables, or put them in place of those that are there, in one transaction."""
        ...

    def finish(self) -> None:
        """It is whole: let it be used."""
        ...


def newest_commit(store: Store) -> Row | None:
    """The last, first position and time of the newest commit; None in an empty ledger."""
    rows = store.rows("SELECT last, first, at FROM commits ORDER BY last DESC LIMIT 1")
    return rows[0] if rows else None


def begun(source: Store, target: Store) -> int:
    """The position up to which *target* has what *source* has; ConflictError when it has anything else."""
    newest = newest_commit(target)
    if newest is None:
        return 0
    position: int = newest[0]
    for sql in (
        "SELECT id, 0, 0 FROM identity",
        f"SELECT last, first, at FROM commits WHERE last={position}",
        f"SELECT stream, version, state FROM events WHERE position={position}",
    ):
        if source.rows(sql) != target.rows(sql):
            raise ConflictError(
                f"{target.path} has a ledger that is no beginning of {source.path}: name an empty place, or move "
                "that away"
            )
    return position


def copy(source: Rows, target: Store, after: int, head: int, on_copied: OnCopied) -> None:
    """Copy the commits after a position, each whole: several in one transaction, so that whenever this is killed,
    *target* ends with a commit."""
    commits = source.stream(COMMITS, after)
    ahead = [(table, _Ahead(source.stream(table, after))) for table in OF_COMMITS]
    while some := _next_commits(commits):
        last = some[-1][0]
        target.fill([(COMMITS, some), *((table, rows.until(last)) for table, rows in ahead)])
        on_copied(last, head)


def _next_commits(commits: Iterator[Row]) -> list[Row]:
    some, events = [], 0
    for last, first, at in commits:
        some.append((last, first, at))
        events += last - first + 1
        if events >= COPY_EVENTS_MAX:
            break
    return some


class _Ahead:
    """Rows in order, taken stretch by stretch."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def until(self, last: int) -> Iterator[Row]:
        """Those whose first column is not more than *last*."""
        row, rows = self._next, self._rows
        while row is not None and row[0] <= last:
            yield row
            row = next(rows, None)
        self._next = row


def settle(source: Rows, target: Store, check: bytes | None) -> None:
    """Copy what stands beside the commits; *check* is the check value of the master key, where *source* may have
    none."""
    tables: list[tuple[Table, Iterable[Row]]] = [(table, source.stream(table)) for table in BESIDE[:-1]]
    target.fill([*tables, (KEY_CHECK, [] if check is None else [(check,)])], anew=True)


def compare(source: Rows, target: Store, check: bytes | None) -> tuple[dict[str, int], str]:
    """How many rows each table has, and a hash over all but the check value; LedgerError when the ledgers are not
    equal."""
    counts: dict[str, int] = {}
    whole = sha256()
    with target.reading() as copied:
        for table in (COMMITS, *OF_COMMITS, *BESIDE):
            is_check = table is KEY_CHECK
            expected = iter([] if check is None else [(check,)]) if is_check else source.stream(table)
            count, digest = _hashed(expected)
            if (count, digest) != _hashed(copied.stream(table)):
                raise LedgerError(
                    f"{target.path} is not equal to its source in {table.name}: move away what is there, and copy again"
                )
            counts[table.name] = count
            if not is_check:
                # It may have been made just now, and says nothing of the ledger.
                whole.update(digest)
    return counts, whole.hexdigest()


def _hashed(rows: Iterator[Row]) -> tuple[int, bytes]:
    """How many, and a hash over every value with its kind and length."""
    count, digest, encode = 0, sha256(), msgspec.msgpack.Encoder().encode
    while some := list(islice(rows, HASHED_ROWS)):
        count += len(some)
        digest.update(encode(some))
    return count, digest.digest()
