"""The ledger in one SQLite file: the library's recorder over our own table, with claims, bodies and commit times.

Durability: WAL with `synchronous=FULL`, so a commit that was answered survives a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing.persistence import Notification, ProgrammingError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteDatastore,
)

from core.errors import LedgerError

SCHEMA = 1
"""Number of the tables' form, kept in the file (`PRAGMA user_version`)."""

PAGE_CACHE_KIB = 8 * 1024
"""Of each connection: trees that only grow at their end need little, and the kernel caches the rest."""
CHECKPOINT_PAGES = 4_000

ROWS_PER_STATEMENT = (64, 16, 4, 1)
"""Rows inserted by one statement: each call into SQLite gives the interpreter's lock away and must win it back."""

TABLES = (
    "CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY AUTOINCREMENT, stream BLOB NOT NULL,"
    " version INTEGER NOT NULL, topic TEXT NOT NULL, state BLOB NOT NULL)",
    "CREATE UNIQUE INDEX IF NOT EXISTS events_stream ON events (stream, version)",
    "CREATE TABLE IF NOT EXISTS landmarks (position INTEGER PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS commits (last INTEGER PRIMARY KEY, first INTEGER NOT NULL, at INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS claims (position INTEGER PRIMARY KEY, key BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS identity (id BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS bodies (position INTEGER PRIMARY KEY, salt BLOB NOT NULL, data BLOB NOT NULL,"
    " payload BLOB)",
    "CREATE TABLE IF NOT EXISTS secrets (id BLOB PRIMARY KEY, webhook BLOB NOT NULL, sealed BLOB NOT NULL)"
    " WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS directories (tenant TEXT PRIMARY KEY, version BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS snapshots (name TEXT PRIMARY KEY, position INTEGER NOT NULL, state BLOB NOT NULL)",
)


class LedgerPool(SQLiteConnectionPool):
    """The library's pool, with our pragmas and a statement cache (the library's holds one statement)."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._path = path
        self._synchronous = synchronous
        super().__init__(db_name=str(path))

    def _create_connection(self) -> SQLiteConnection:
        connection = connect(self._path, self._synchronous)
        return SQLiteConnection(sqlite_conn=connection, max_age=None)


class LedgerDatastore(SQLiteDatastore):
    """The library's datastore over our pool."""

    def __init__(self, path: Path, synchronous: str) -> None:
        super().__init__(":memory:")
        self.pool.close()
        self.pool = LedgerPool(path, synchronous)


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from any one thread at a time. Only its owner may read the file;
    SQLite gives what it keeps beside it the same mode."""
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=128)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute(f"PRAGMA cache_size=-{PAGE_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    return connection


class SqliteRecorder(SQLiteApplicationRecorder):
    """Stored events by position and by stream; what the library's application recorder promises, on our table."""

    def __init__(self, path: Path, synchronous: str = "FULL") -> None:
        self.path = path
        super().__init__(LedgerDatastore(path, synchronous), "events")
        self.select_max_notification_id_statement = "SELECT max(position) FROM events"
        self.writing = connect(path, synchronous)
        """The one connection that writes; the writer's thread alone uses it."""
        self._create()

    def _create(self) -> None:
        known = self.writing.execute("PRAGMA user_version").fetchone()[0]
        if known not in (0, SCHEMA):
            raise LedgerError(
                f"{self.path} has form {known}, this version reads {SCHEMA}: start the version that wrote it"
            )
        self.writing.execute("BEGIN IMMEDIATE")
        for statement in TABLES:
            self.writing.execute(statement)
        self.writing.execute(f"PRAGMA user_version={SCHEMA}")
        if self.writing.execute("SELECT count(*) FROM identity").fetchone() == (0,):
            self.writing.execute("INSERT INTO identity VALUES (randomblob(16))")
        self.writing.execute("COMMIT")

    @property
    def identity(self) -> bytes:
        """16 random bytes that tell this ledger from every other."""
        identity: bytes = self.writing.execute("SELECT id FROM identity").fetchone()[0]
        return identity

    def close(self) -> None:
        self.writing.close()
        self.datastore.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of the pool that sees one state of the ledger until it is given back."""
        with self.datastore.get_connection(commit=False) as pooled:
            connection: sqlite3.Connection = pooled._sqlite_conn  # noqa: SLF001 -- the library hides what its pool holds
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query on a state of its own."""
        with self.reading() as connection:
            return connection.execute(sql, parameters).fetchall()

    def rows_of(self, sql: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
        """Rows of `sql`, in which `{}` stands for a list of values, for any number of them."""
        values = list(values)
        rows: list[tuple[Any, ...]] = []
        with self.reading() as connection:
            for start in range(0, len(values), 500):
                some = values[start : start + 500]
                rows += connection.execute(sql.format(",".join("?" * len(some))), some).fetchall()
        return rows

    # What the library's own readers and writers call.

    def construct_create_table_statements(self) -> list[str]:
        return list(TABLES)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        raise ProgrammingError("the ledger takes units: append them with core.ledger.append")

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        rows = self.rows(
            "SELECT stream, version, topic, state FROM events WHERE stream=? AND version>? AND version<=?"
            f" ORDER BY version {'DESC' if desc else 'ASC'} LIMIT ?",
            (
                _bytes(originator_id),
                0 if gt is None else gt,
                2**62 if lte is None else lte,
                -1 if limit is None else limit,
            ),
        )
        return [StoredEvent(UUID(bytes=stream), version, topic, state) for stream, version, topic, state in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        first = 0 if start is None else start if inclusive_of_start else start + 1
        among = f" AND topic IN ({','.join('?' * len(topics))})" if topics else ""
        rows = self.rows(
            "SELECT position, stream, version, topic, state FROM events WHERE position>=? AND position<=?"
            f"{among} ORDER BY position LIMIT ?",
            (first, 2**62 if stop is None else stop, *topics, limit),
        )
        return [
            Notification(
                id=position, originator_id=UUID(bytes=stream), originator_version=version, topic=topic, state=state
            )
            for position, stream, version, topic, state in rows
        ]


def _bytes(originator_id: UUID | str) -> bytes:
    return originator_id.bytes if isinstance(originator_id, UUID) else bytes.fromhex(originator_id)


def insert_rows(
    connection: sqlite3.Connection, table: str, columns: int, values: list[Any], *, verb: str = "INSERT"
) -> None:
    """Insert rows given as one flat list of values."""
    start, rows = 0, len(values) // columns
    for size in ROWS_PER_STATEMENT:
        sql = _statement(verb, table, columns, size)
        while rows >= size:
            end = start + size * columns
            connection.execute(sql, values[start:end])
            start, rows = end, rows - size


@cache
def _statement(verb: str, table: str, columns: int, rows: int) -> str:
    row = f"({','.join('?' * columns)})"
    return f"{verb} INTO {table} VALUES {','.join([row] * rows)}"
