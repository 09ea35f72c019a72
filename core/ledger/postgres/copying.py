"""A schema of a PostgreSQL database as one end of a copy of a ledger.

It writes past the function `append`, as the owner of the tables, and holds the lock that the function takes: nobody
commits anything while a copy is under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count

import psycopg

from core.errors import LedgerBusyError, LedgerError
from core.ledger.copy import COMMITS, OF_COMMITS, Row, Rows, Table
from core.ledger.postgres.database import in_words, named
from core.ledger.postgres.migrate import FORM, form_of, unfit
from core.ledger.postgres.recorder import Connection

FETCHED_ROWS = 500
NO_LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout")
"""Of a session: a copy may take its time."""


class PostgresStore:
    """That it may not be used is what its table `copying` says."""

    def __init__(self, connection: Connection, url: str, schema: str, *, source: bool) -> None:
        """LedgerError when there is no ledger, in another form, half a one where it is the source, or when another
        process holds its lock for long."""
        self._connection, self._url = connection, url
        self.path = f"{named(url)}, schema {schema}"
        with self._in_words():
            form = form_of(connection)
            if form != FORM:
                raise LedgerError(unfit(form))
            for name in NO_LIMITS:
                connection.execute(f"SET {name} = 0")
            connection.execute("SELECT pg_advisory_lock(8420, hashtext(current_schema()::text))")
            if source and self.rows("SELECT FROM leader WHERE until > clock_timestamp()"):
                raise LedgerBusyError(f"a process leads on {self.path}: stop all that use it, and type this again")
            if source and self.rows("SELECT FROM copying"):
                raise LedgerError(f"{self.path} has half a ledger itself: finish that copy first")

    @property
    def identity(self) -> bytes:
        identity: bytes = self.rows("SELECT id FROM identity")[0][0]
        return identity

    def rows(self, sql: str) -> list[Row]:
        with self._in_words(), self._connection.cursor(binary=True) as cursor:
            return cursor.execute(sql.encode()).fetchall()

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        with self._in_words(), self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield _State(self, self._connection)

    def begin(self, identity: bytes) -> None:
        with self._in_words(), self._connection.transaction():
            self._connection.execute("INSERT INTO copying SELECT WHERE NOT EXISTS (SELECT FROM copying)")
            self._connection.execute("UPDATE identity SET id = %s", (identity,))

    def fill(self, tables: Iterable[tuple[Table, Iterable[Row]]], *, anew: bool = False) -> None:
        with self._in_words(), self._connection.transaction(), self._connection.cursor() as cursor:
            for table, rows in tables:
                if anew:
                    cursor.execute(f"DELETE FROM {table.name}".encode())
                columns = ",".join(table.columns)
                with cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN (FORMAT BINARY)".encode()) as into:
                    into.set_types(table.types)
                    write = into.write_row
                    for row in rows:
                        write(row)

    def finish(self) -> None:
        with self._in_words():
            self._connection.execute("DELETE FROM copying")
            names = ",".join(table.name for table in (COMMITS, *OF_COMMITS))
            self._connection.execute(f"ANALYZE {names}".encode())

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise LedgerError(in_words(error, self._url)) from None


class _State:
    def __init__(self, store: PostgresStore, connection: Connection) -> None:
        self._store, self._connection = store, connection
        self._numbers = count(1)

    def stream(self, table: Table, after: int | None = None) -> Iterator[Row]:
        first = table.columns[0]
        where = "" if after is None else f" WHERE {first} > {after}"
        # As SQLite has it, and not as people of some country sort names.
        order = f'{first} COLLATE "C"' if table.types[0] == "text" else first
        name = f"{table.name}_{next(self._numbers)}"
        with self._store._in_words(), self._connection.cursor(name, binary=True) as cursor:  # noqa: SLF001 -- of the same file
            cursor.itersize = FETCHED_ROWS
            cursor.execute(f"SELECT {','.join(table.columns)} FROM {table.name}{where} ORDER BY {order}".encode())
            yield from cursor
