"""The views' own SQLite file: rows made from recorded events, each view with the position it has seen.

Nothing in it is not in the ledger: with `synchronous=NORMAL` a power cut may take its newest rows, and following
makes them again. A file that is damaged, or belongs to another ledger, is made anew, also while it is followed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import ConflictError, LedgerError
from core.ledger.connection import LedgerDatastore, connect
from core.ledger.fault import is_damage, rolled_back
from core.ledger.files import put_in_place, remove
from core.ledger.sqlite import ROWS_PER_STATEMENT, insert_rows
from core.ledger.view_store import Writing
from core.log import Log

log = Log("views")

TRACKING = "CREATE TABLE IF NOT EXISTS tracking (view TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"
OWNER = "CREATE TABLE IF NOT EXISTS owner (ledger BLOB NOT NULL)"


Fill = Callable[[Path, Mapping[str, int]], None]
"""Writes a new file of views, each with the rows it has when it has seen up to a position; reads the ledger for it."""


class Views:
    """The file, with one connection that writes and a pool that reads."""

    def __init__(self, path: Path, ledger_id: bytes, head: int | None = None) -> None:
        """*head* is the ledger's. LedgerError where it ends before what the file has seen; sqlite3.Error where the file
        does not open."""
        self.path = path
        self._turn = threading.Condition()
        self._readers = 0
        self._is_closed = False
        self._seen: dict[str, int] = {}
        self.damage: str | None = None
        """What is wrong with the file; None: nothing that was met."""
        self.on_damage: Callable[[], None] = lambda: None
        """Called, in any thread, when damage is met."""
        self.fill: Fill | None = None
        """How the file is made anew while it is followed."""
        self.writing = self._open(ledger_id, head)
        self._datastore = LedgerDatastore(path, "NORMAL")

    def _open(self, ledger_id: bytes, head: int | None) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            connection = connect(self.path, "NORMAL")
            if _is_ours(connection, ledger_id):
                self._compare(connection, head)
                return connection
            log.say("views.foreign", file=self.path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            log.say("views.damaged", file=self.path, error=error)
        if connection is not None:
            connection.close()
        remove(self.path)
        return self._open(ledger_id, head)

    def _compare(self, connection: sqlite3.Connection, head: int | None) -> None:
        (seen,) = connection.execute("SELECT max(position) FROM tracking").fetchone()
        if head is not None and (seen or 0) > head:
            connection.close()
            raise LedgerError(rolled_back(self.path, seen, head))

    # Damage.

    def doubt(self, error: Exception) -> bool:
        """Whether the file is damaged, as *error* may say; then it is not used any more than can be helped."""
        if is_damage(error) and self.damage is None:
            self.damage = f"{self.path} is damaged ({error}): it is made anew, lists and retries wait"
            self.on_damage()
        return self.damage is not None

    def make_anew(self) -> None:
        """Make the file again from the ledger, as far as each view has seen; in the thread that writes it, blocks.

        sqlite3.Error, OSError or LedgerError when that cannot be, as when the disk is full; then the damage stays.
        """
        assert self.fill is not None
        fresh = self.path.with_name(f"{self.path.name}.new")
        remove(fresh)
        try:
            self.fill(fresh, dict(self._seen))
            with self._turn:
                self._is_closed = True
                while self._readers:
                    self._turn.wait()
            # SQLite removes what lies beside a file by its name: nobody may have the old one open by now.
            self.writing.close()
            self._datastore.close()
            remove(self.path)
            put_in_place(fresh, self.path)
            self.writing = connect(self.path, "NORMAL", create=False)
            self._datastore = LedgerDatastore(self.path, "NORMAL")
        finally:
            remove(fresh)
        self.damage, self._is_closed = None, False

    def begin(self, view: str, tables: Sequence[str]) -> int:
        """Make sure a view's tables are there; the position it has seen."""
        self.writing.execute("BEGIN IMMEDIATE")
        for statement in tables:
            self.writing.execute(statement)
        self.writing.execute("INSERT OR IGNORE INTO tracking VALUES (?, 0)", (view,))
        (position,) = self.writing.execute("SELECT position FROM tracking WHERE view=?", (view,)).fetchone()
        self.writing.execute("COMMIT")
        self._seen[view] = int(position)
        return int(position)

    def write(self, view: str, previous: int, position: int, fill: Callable[[Writing], None]) -> None:
        """In one transaction: the view goes on from *previous* to *position*, and *fill* writes its rows. ConflictError
        when somebody else follows; sqlite3.Error when the disk does not take it."""
        connection = self.writing
        connection.execute("BEGIN IMMEDIATE")
        try:
            self.move(view, previous, position)
            fill(FileWriting(connection))
            connection.execute("COMMIT")
        except BaseException:  # whatever it was, no transaction may stay open
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._seen[view] = position

    def move(self, view: str, previous: int, position: int) -> None:
        """Inside a transaction: this view has seen up to *position*. ConflictError when somebody else follows."""
        moved = self.writing.execute(
            "UPDATE tracking SET position=? WHERE view=? AND position=?", (position, view, previous)
        )
        if moved.rowcount != 1:
            raise ConflictError(f"somebody else follows the view {view!r}")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query; blocks. sqlite3.Error when the file cannot be read."""
        with self._turn:
            if self._is_closed:
                raise sqlite3.OperationalError(self.damage)
            self._readers += 1
        try:
            with self._datastore.get_connection(commit=False) as pooled:
                connection: sqlite3.Connection = pooled._sqlite_conn  # noqa: SLF001 -- the library hides what its pool holds
                return connection.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            self.doubt(error)
            raise
        finally:
            with self._turn:
                self._readers -= 1
                self._turn.notify_all()

    def close(self) -> None:
        self.writing.close()
        self._datastore.close()


class FileWriting:
    """The connection that writes, as views see it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self.execute = connection, connection.execute

    def insert(self, table: str, columns: int, values: list[Any], otherwise: str = "") -> None:
        insert_rows(self._connection, table, columns, values, otherwise=otherwise)

    def update(self, table: str, columns: tuple[str, ...], values: list[Any]) -> None:
        for rows, some in _pieces(values, len(columns)):
            self.execute(_update(table, columns, rows), some)

    def among(self, sql: str, numbers: Sequence[int]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for rows, some in _pieces(numbers, 1):
            found += self.execute(sql.replace("{}", ",".join("?" * rows)), some)
        return found


def _pieces(values: Sequence[Any], columns: int) -> Iterator[tuple[int, Sequence[Any]]]:
    """How many rows, and their values: pieces of few different sizes, so that their statements stay prepared."""
    start, left = 0, len(values) // columns
    for rows in ROWS_PER_STATEMENT:
        while left >= rows:
            end = start + rows * columns
            yield rows, values[start:end]
            start, left = end, left - rows


@cache
def _update(table: str, columns: tuple[str, ...], rows: int) -> str:
    changes = ", ".join(f"{name}=v.column{number}" for number, name in enumerate(columns[1:], 2))
    row = f"({','.join('?' * len(columns))})"
    return (
        f"UPDATE {table} SET {changes} FROM (VALUES {','.join([row] * rows)}) AS v WHERE {table}.{columns[0]}=v.column1"
    )


def _is_ours(connection: sqlite3.Connection, ledger_id: bytes) -> bool:
    """Whether the file is this ledger's; a new one is made so."""
    connection.execute(TRACKING)
    connection.execute(OWNER)
    owner = connection.execute("SELECT ledger FROM owner").fetchone()
    if owner is None:
        connection.execute("INSERT INTO owner VALUES (?)", (ledger_id,))
        return True
    return bool(owner == (ledger_id,))
