"""The ledger in a PostgreSQL database: the library's recorder over our own tables, which `hookledger migrate` makes.

Whoever waits for the database waits in a thread. Faults come as the library's errors of persistence, whatever psycopg
calls them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing import persistence
from eventsourcing.persistence import (
    InterfaceError,
    Notification,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from core.errors import LedgerError
from core.ledger.postgres.arrays import Array, ArrayDumper
from core.ledger.postgres.migrate import FORM, form_of, unfit
from core.ledger.postgres.pool import Pool
from core.settings import DATABASE_SCHEMA

CONNECT_S = 5
"""How long a connection may take to be made."""
SILENCE_S = 10
"""So long after the other machine was heard of last, a connection counts as broken on which something is waited for;
without this it may be a quarter of an hour."""
READ_S = 60
"""How long one query may take."""
LOCK_S = 30
"""How long a commit may wait for those of other processes."""
IDLE_IN_TRANSACTION_S = 2
"""So long a process that stands still may keep a transaction, and with it the ledger's lock, from all others."""
READ_CONNECTIONS_MAX = 4
"""Connections of one process that read for others."""

Connection = psycopg.Connection[tuple[Any, ...]]


def connect(url: str, schema: str, *, timeout_s: float = READ_S) -> Connection:
    """A connection in autocommit mode, with the schema first on its search path. psycopg.Error when there is none."""
    return _connected(url, lambda connection: configure(connection, schema, timeout_s))


def _connected(url: str, configure: Callable[[Connection], None]) -> Connection:
    connection: Connection = psycopg.connect(url, autocommit=True, row_factory=tuple_row, **patience(url))
    try:
        configure(connection)
    except BaseException:  # whatever it was, nothing stays open
        connection.close()
        raise
    return connection


def patience(url: str) -> dict[str, Any]:
    """How long a network is waited for, in libpq's words, where the URL does not say it."""
    ours = {
        "connect_timeout": CONNECT_S,
        "tcp_user_timeout": SILENCE_S * 1_000,
        "keepalives_idle": SILENCE_S // 2,
        "keepalives_interval": SILENCE_S // 5,
        "keepalives_count": 3,
    }
    said = psycopg.conninfo.conninfo_to_dict(url)
    return {name: value for name, value in ours.items() if name not in said}


def configure(connection: Connection, schema: str, timeout_s: float = READ_S) -> None:
    """Make a new connection ours: the schema first on its search path, no waiting without end."""
    connection.adapters.register_dumper(Array, ArrayDumper)
    connection.execute(SQL("SET search_path TO {}, pg_temp").format(Identifier(schema)))
    # What is acknowledged is on disk, whatever the server does for others.
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    for name, value in (
        ("statement_timeout", timeout_s),
        ("lock_timeout", LOCK_S),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_S),
    ):
        connection.execute(SQL(f"SET {name} = {int(value * 1_000)}"))


@contextmanager
def in_the_librarys_words() -> Iterator[None]:
    """psycopg's errors as the library's, which have the same names."""
    try:
        yield
    except psycopg.Error as error:
        names = (kind.__name__ for kind in type(error).__mro__)
        found = (getattr(persistence, name) for name in names if hasattr(persistence, name))
        raise next(found, persistence.PersistenceError)(" ".join(str(error).split())) from error


class LedgerDatastore(PostgresDatastore):
    """The library's datastore over a pool that is made from a URL, as libpq reads it: `PGPASSFILE`, `sslmode` and all
    else mean what people expect."""

    def __init__(self, url: str, schema: str, configure: Callable[[Connection, str], None] = configure) -> None:
        self.schema, self.originator_id_type, self.enable_db_functions = schema, "uuid", False
        self.pool_open_timeout = None
        self.lock_timeout, self.pre_ping, self.single_row_tracking = LOCK_S, False, True
        self.idle_in_transaction_session_timeout = IDLE_IN_TRANSACTION_S
        self.db_type_names, self.psycopg_type_adapters, self.psycopg_python_types = set(), {}, {}
        self.pool = Pool(  # type: ignore[assignment]
            lambda: _connected(url, lambda connection: configure(connection, schema)), READ_CONNECTIONS_MAX, CONNECT_S
        )


def path_of(url: str) -> str:
    """What to call a database: without its password."""
    info = psycopg.conninfo.conninfo_to_dict(url)
    return f"the database {info.get('dbname') or info.get('user') or ''!s}"


def rows_from(datastore: PostgresDatastore, sql: bytes, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of one query, on a connection of a pool. PersistenceError when the database cannot be asked."""
    for tries_left in range(READ_CONNECTIONS_MAX, -1, -1):
        connection = None
        try:
            with datastore.get_connection() as connection, connection.cursor(binary=True) as cursor:
                return cursor.execute(sql, parameters).fetchall()  # type: ignore[return-value]
        except (OperationalError, InterfaceError):
            # That a connection is broken shows when it is used. It is dropped then, and all may be.
            if connection is None or not connection.closed or not tries_left:
                raise
    raise AssertionError


class PostgresRecorder(PostgresApplicationRecorder):
    """Stored events by position and by stream; what the library's application recorder promises, on our tables."""

    def __init__(self, url: str, schema: str = DATABASE_SCHEMA) -> None:
        """LedgerError when there is no ledger, or in another form; PersistenceError when nobody answers."""
        self.url, self.schema = url, schema
        super().__init__(LedgerDatastore(url, schema), events_table_name="events")
        self.sql_create_statements = []
        self.damage: str | None = None
        try:
            with self._connection() as connection:
                form = form_of(connection)
                is_half = form == FORM and connection.execute("SELECT EXISTS (SELECT FROM copying)").fetchone() == (
                    True,
                )
        except BaseException:  # whatever it was, nothing stays open
            self.close()
            raise
        if form != FORM:
            self.close()
            raise LedgerError(unfit(form))
        if is_half:
            self.close()
            raise LedgerError(
                f"{self.path} has half a ledger: type the `hookledger copy` that was under way again, and it goes on"
            )

    @property
    def path(self) -> str:
        """What to call it: without its password."""
        return path_of(self.url)

    @property
    def identity(self) -> bytes:
        """16 random bytes that tell this ledger from every other."""
        identity: bytes = self.rows("SELECT id FROM identity")[0][0]
        return identity

    def check(self) -> None:
        """Its files are not ours to look at."""

    def close(self) -> None:
        self.datastore.close()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self.datastore.get_connection() as connection:
            yield connection  # type: ignore[misc]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection of the pool that sees one state of the ledger until it is given back."""
        with self._connection() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.execute("ROLLBACK")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query, which has `?` where its parameters go."""
        return rows_from(self.datastore, _ours(sql), parameters)

    def rows_of(self, sql: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
        """Rows of *sql*, in which `IN ({})` stands for a list of values, for any number of them."""
        values = list(values)
        if not values:
            return []
        return self.rows(sql.replace("IN ({})", "= ANY(?)"), (values,))

    # What the library's own readers and writers call.

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        raise ProgrammingError("the ledger takes units: append them with core.ledger.append")

    def max_notification_id(self) -> int | None:
        ((newest,),) = self.rows("SELECT max(position) FROM events")
        return None if newest is None else int(newest)

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
                originator_id.bytes if isinstance(originator_id, UUID) else bytes.fromhex(originator_id),
                0 if gt is None else gt,
                2**62 if lte is None else lte,
                2**62 if limit is None else limit,
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
        among, wanted = (" AND topic = ANY(?)", [list(topics)]) if topics else ("", [])
        rows = self.rows(
            f"SELECT position, stream, version, topic, state FROM events WHERE position>=? AND position<=?{among}"
            " ORDER BY position LIMIT ?",
            (first, 2**62 if stop is None else stop, *wanted, limit),
        )
        return [
            Notification(
                id=position, originator_id=UUID(bytes=stream), originator_version=version, topic=topic, state=state
            )
            for position, stream, version, topic, state in rows
        ]


@cache
def _ours(sql: str) -> bytes:
    """psycopg's marks for those of SQLite, which our questions are written with; they hold no other `?` or `%`."""
    return re.sub(r"\?", "%s", sql).encode()
