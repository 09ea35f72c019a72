"""A SQLite file as one end of a copy of a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path

from core.errors import LedgerBusyError, LedgerError
from core.ledger.copy import Row, Rows, Table
from core.ledger.fault import in_words
from core.ledger.sqlite import SqliteRecorder, insert_rows

CHUNK_ROWS = 1_024


class SqliteStore:
    """That it may be used is what its name says: the file of a copy under way has another."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        with self._in_words():
            # What a power cut takes of a copy is copied again.
            self._recorder = SqliteRecorder(path, "NORMAL", create=create)

    @property
    def identity(self) -> bytes:
        return self._recorder.identity

    def rows(self, sql: str) -> list[Row]:
        with self._in_words():
            return self._recorder.rows(sql)

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        with self._in_words(), self._recorder.reading() as connection:
            yield _State(self, connection)

    def begin(self, identity: bytes) -> None:
        with self._in_words():
            self._recorder.writing.execute("UPDATE identity SET id=?", (identity,))

    def fill(self, tables: Iterable[tuple[Table, Iterable[Row]]], *, anew: bool = False) -> None:
        connection = self._recorder.writing
        with self._in_words():
            connection.execute("BEGIN IMMEDIATE")
            try:
                for table, rows in tables:
                    if anew:
                        connection.execute(f"DELETE FROM {table.name}")
                    there = iter(rows)
                    while some := list(islice(there, CHUNK_ROWS)):
                        insert_rows(connection, table.name, len(table.columns), list(chain.from_iterable(some)))
                connection.execute("COMMIT")
            except BaseException:  # whatever it was, no transaction stays open
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def finish(self) -> None:
        """It becomes one file, with nothing beside it that would be left behind when it gets its name. Whoever still
        has it open would keep it from that."""
        self.close()
        with self._in_words(), closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            try:
                connection.execute("PRAGMA journal_mode=DELETE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                raise LedgerBusyError(
                    f"all is copied, but another program has {self.path} open: end that, and type this again"
                ) from error

    def close(self) -> None:
        self._recorder.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(in_words(error, self.path)) from error


class _State:
    def __init__(self, store: SqliteStore, connection: sqlite3.Connection) -> None:
        self._store, self._connection = store, connection

    def stream(self, table: Table, after: int | None = None) -> Iterator[Row]:
        first = table.columns[0]
        where = "" if after is None else f" WHERE {first}>{after}"
        with self._store._in_words():  # noqa: SLF001 -- of the same file
            yield from self._connection.execute(
                f"SELECT {','.join(table.columns)} FROM {table.name}{where} ORDER BY {first}"
            )
