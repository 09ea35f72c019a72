"""The ledger in one SQLite file: the library's recorder over our own table, with claims, bodies and commit times.

Durability: WAL with `synchronous=FULL`, so a commit that was answered survives a power cut.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing.persistence import Notification, ProgrammingError, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder

from core.errors import LedgerError
from core.ledger.connection import LedgerDatastore, connect
from core.ledger.fault import in_words, is_damage
from core.ledger.upgrade import UPGRADES

SCHEMA = 2
"""Number of the tables' form, kept in the file (`PRAGMA user_version`)."""

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
    "CREATE TABLE IF NOT EXISTS key_check (sealed BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS snapshots (name TEXT PRIMARY KEY, position INTEGER NOT NULL, state BLOB NOT NULL)",
)

TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
OURS = {"events", "commits", "identity"}
"""Tables that make a database a ledger."""


class SqliteRecorder(SQLiteApplicationRecorder):
    """Stored events by position and by stream; what the library's application recorder promises, on our table."""

    def __init__(self, path: Path, synchronous: str = "FULL", *, create: bool = True) -> None:
        """LedgerError when the file is no ledger, or not whole; sqlite3.Error when it does not open."""
        self.path = path
        self._create = create
        self.writing = connect(path, synchronous, create=create, look=self._recognise)
        """The one connection that writes; the writer's thread alone uses it."""
        try:
            self._prepare()
        except BaseException:  # whatever it was, nothing stays open
            self.writing.close()
            raise
        super().__init__(LedgerDatastore(path, synchronous), "events")
        self.select_max_notification_id_statement = "SELECT max(position) FROM events"
        self.damage: str | None = None
        """What was found to be wrong with the file since it was opened: nothing is written to it any more."""
        self._log = path.with_name(f"{path.name}-wal")
        self._files = _file(path), _file(self._log)

    def _recognise(self, connection: sqlite3.Connection) -> None:
        """See that it is a ledger of ours, in a form we read; or empty, where one may be made."""
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        there = _tables(connection)
        if there and not (there >= OURS and schema):
            raise LedgerError(f"{self.path} is a database of another program: name another --data, or bring the ledger")
        if there and schema != SCHEMA and schema not in UPGRADES:
            raise LedgerError(
                f"{self.path} has form {schema}, this version reads {SCHEMA}: start the version that wrote it"
            )
        if not there and not self._create:
            raise LedgerError(f"{self.path} is empty: there is no ledger in it")

    def _prepare(self) -> None:
        """Make the tables that are not there; see that the ledger's ends meet."""
        execute = self.writing.execute
        if not _tables(self.writing) >= {TABLE.findall(statement)[0] for statement in TABLES if TABLE.match(statement)}:
            execute("BEGIN IMMEDIATE")
            for statement in TABLES:
                execute(statement)
            execute(f"PRAGMA user_version={SCHEMA}")
            if execute("SELECT count(*) FROM identity").fetchone() == (0,):
                execute("INSERT INTO identity VALUES (randomblob(16))")
            execute("COMMIT")
        self._upgrade()
        ends = execute("SELECT (SELECT max(position) FROM events), (SELECT max(last) FROM commits)").fetchone()
        if ends[0] != ends[1]:
            raise LedgerError(
                f"{self.path} is damaged: it has events up to {ends[0]} and commits up to {ends[1]}; "
                "move it away, and `hookledger restore` the newest backup"
            )

    def _upgrade(self) -> None:
        execute = self.writing.execute
        execute("BEGIN IMMEDIATE")
        try:
            (schema,) = execute("PRAGMA user_version").fetchone()
            while schema in UPGRADES:
                UPGRADES[schema](self.writing)
                schema += 1
                execute(f"PRAGMA user_version={schema}")
            execute("COMMIT")
        except BaseException:  # whatever it was, it stays as it was
            execute("ROLLBACK")
            raise

    def check(self) -> None:
        """See that what is written here will be found again. LedgerError when it would not."""
        if self.damage is not None:
            raise LedgerError(self.damage)
        if _file(self.path) != self._files[0]:
            raise LedgerError(f"{self.path} is no longer where it was opened: bring it back, and it goes on by itself")
        if _file(self._log) != self._files[1]:
            raise LedgerError(f"{self._log} was taken away: stop hookledger and start it again; nothing is lost yet")

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
            try:
                connection.execute("BEGIN")
                yield connection
            except sqlite3.DatabaseError as error:
                if is_damage(error):
                    self.damage = in_words(error, self.path)
                raise
            finally:
                if connection.in_transaction:
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


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}


def _file(path: Path) -> tuple[int, int] | None:
    """Which file stands there."""
    try:
        there = path.stat()
    except OSError:
        return None
    return there.st_dev, there.st_ino


def _bytes(originator_id: UUID | str) -> bytes:
    return originator_id.bytes if isinstance(originator_id, UUID) else bytes.fromhex(originator_id)


def insert_rows(
    connection: sqlite3.Connection,
    table: str,
    columns: int,
    values: list[Any],
    *,
    verb: str = "INSERT",
    otherwise: str = "",
) -> None:
    """Insert rows given as one flat list of values. *otherwise*: ` ON CONFLICT …`, what is done where one is there."""
    start, rows = 0, len(values) // columns
    for size in ROWS_PER_STATEMENT:
        sql = _statement(verb, table, columns, size, otherwise)
        while rows >= size:
            end = start + size * columns
            connection.execute(sql, values[start:end])
            start, rows = end, rows - size


@cache
def _statement(verb: str, table: str, columns: int, rows: int, otherwise: str) -> str:
    row = f"({','.join('?' * columns)})"
    return f"{verb} INTO {table} VALUES {','.join([row] * rows)}{otherwise}"
