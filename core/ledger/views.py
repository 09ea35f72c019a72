"""The views' own SQLite file: rows made from recorded events, each view with the position it has seen.

Nothing in it is not in the ledger: with `synchronous=NORMAL` a power cut may take its newest rows, and following
makes them again. A file that is damaged, belongs to another ledger, or has seen more than there is, is made anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import ConflictError
from core.ledger.sqlite import LedgerDatastore, connect
from core.log import Log

log = Log("views")

TRACKING = "CREATE TABLE IF NOT EXISTS tracking (view TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"
OWNER = "CREATE TABLE IF NOT EXISTS owner (ledger BLOB NOT NULL)"


class Views:
    """The file, with one connection that writes and a pool that reads."""

    def __init__(self, path: Path, ledger_id: bytes, head: int | None = None) -> None:
        """*head* is the ledger's: rows of what it does not hold, or no longer, are not kept."""
        self.path = path
        self.writing = self._open(ledger_id, head)
        self._datastore = LedgerDatastore(path, "NORMAL")

    def _open(self, ledger_id: bytes, head: int | None) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            connection = connect(self.path, "NORMAL")
            if _is_ours(connection, ledger_id, head):
                return connection
            log.say("views.foreign", file=self.path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            log.say("views.damaged", file=self.path, error=error)
        if connection is not None:
            connection.close()
        self.discard()
        return self._open(ledger_id, head)

    def discard(self) -> None:
        """Take the file away, so that the next start makes it anew; who has it open goes on with what they have."""
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def begin(self, view: str, tables: Sequence[str]) -> int:
        """Make sure a view's tables are there; the position it has seen."""
        self.writing.execute("BEGIN IMMEDIATE")
        for statement in tables:
            self.writing.execute(statement)
        self.writing.execute("INSERT OR IGNORE INTO tracking VALUES (?, 0)", (view,))
        (position,) = self.writing.execute("SELECT position FROM tracking WHERE view=?", (view,)).fetchone()
        self.writing.execute("COMMIT")
        return int(position)

    def move(self, view: str, previous: int, position: int) -> None:
        """Inside a transaction: this view has seen up to *position*. ConflictError when somebody else follows."""
        moved = self.writing.execute(
            "UPDATE tracking SET position=? WHERE view=? AND position=?", (position, view, previous)
        )
        if moved.rowcount != 1:
            raise ConflictError(f"somebody else follows the view {view!r}")

    def rows(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query; blocks."""
        with self._datastore.get_connection(commit=False) as pooled:
            connection: sqlite3.Connection = pooled._sqlite_conn  # noqa: SLF001 -- the library hides what its pool holds
            return connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        self.writing.close()
        self._datastore.close()


def _is_ours(connection: sqlite3.Connection, ledger_id: bytes, head: int | None) -> bool:
    """Whether the file is this ledger's, and has seen no more than it holds; a new one is made so."""
    connection.execute(TRACKING)
    connection.execute(OWNER)
    owner = connection.execute("SELECT ledger FROM owner").fetchone()
    if owner is None:
        connection.execute("INSERT INTO owner VALUES (?)", (ledger_id,))
        return True
    (seen,) = connection.execute("SELECT max(position) FROM tracking").fetchone()
    return owner == (ledger_id,) and (head is None or seen is None or seen <= head)
