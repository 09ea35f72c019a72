"""Which claims are taken: the ledger's claims by key, in memory while young, in a file of their own when old.

A claim is recorded in the ledger in its unit's transaction, in the order of positions, which costs next to nothing.
Finding one again needs an index by key, and keys are random: written with each commit, that index would dirty a
page for every claim. It holds nothing that is not in the ledger, so it is written now and then, sorted, in the
background, and what it lacks is read from the ledger at the start.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from core.ledger.sqlite import connect
from core.ledger.unit import Claim

YOUNG_MAX = 65_536
"""Claims kept in memory before they are written to the index."""

TABLE = "CREATE TABLE IF NOT EXISTS claims (key BLOB PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"
TRACKING = "CREATE TABLE IF NOT EXISTS tracking (ledger BLOB PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"


class Claims:
    """Exact and for ever. `find` and `add` belong to the writer's thread, `flush` to any one other."""

    def __init__(self, path: Path, ledger: sqlite3.Connection, ledger_id: bytes) -> None:
        self._ledger_id = ledger_id
        self._young: dict[bytes, int] = {}
        self._flushing: dict[bytes, int] = {}
        self._lock = threading.Lock()
        self._reading = self._open(path)
        self._writing = connect(path, "NORMAL")
        self._catch_up(ledger)

    def _open(self, path: Path) -> sqlite3.Connection:
        """The index, made anew when it is damaged or another ledger's."""
        try:
            connection = connect(path, "NORMAL")
            connection.execute(TABLE)
            connection.execute(TRACKING)
            if not connection.execute("SELECT 1 FROM tracking WHERE ledger=?", (self._ledger_id,)).fetchone():
                connection.execute("DELETE FROM claims")
                connection.execute("DELETE FROM tracking")
                connection.execute("INSERT INTO tracking VALUES (?, 0)", (self._ledger_id,))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            for damaged in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
                damaged.unlink(missing_ok=True)
            return self._open(path)
        return connection

    def _catch_up(self, ledger: sqlite3.Connection) -> None:
        (position,) = self._reading.execute("SELECT position FROM tracking").fetchone()
        rows = ledger.execute("SELECT key, position FROM claims WHERE position>? ORDER BY position", (position,))
        while some := rows.fetchmany(YOUNG_MAX):
            self._young.update(some)
            if self.is_full:
                self.flush()

    def key(self, claim: Claim) -> bytes:
        """16 bytes that stand for a claim; keyed by the ledger, so that nobody can look for two that look alike."""
        return blake2b(f"{claim.scope}\0{claim.key}".encode(), digest_size=16, key=self._ledger_id).digest()

    def find(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        """Those of *keys* that are taken, with the position of the event that holds them."""
        with self._lock:
            young, flushing = self._young, self._flushing
            found = {key: young[key] for key in keys if key in young}
            found |= {key: flushing[key] for key in keys if key in flushing}
        old = [key for key in keys if key not in found]
        for start in range(0, len(old), 64):
            some = old[start : start + 64]
            some += [some[0]] * (64 - len(some))
            sql = f"SELECT key, position FROM claims WHERE key IN ({','.join('?' * 64)})"
            found.update(self._reading.execute(sql, some).fetchall())
        return found

    def add(self, taken: dict[bytes, int]) -> None:
        """Keep the claims of a commit that is on disk."""
        with self._lock:
            self._young |= taken

    @property
    def is_full(self) -> bool:
        return len(self._young) >= YOUNG_MAX and not self._flushing

    def flush(self) -> None:
        """Write the young claims to the index, sorted by key; blocks."""
        with self._lock:
            if self._flushing or not self._young:
                return
            self._flushing, self._young = self._young, {}
            flushing = self._flushing
        try:
            self._writing.execute("BEGIN IMMEDIATE")
            self._writing.executemany("INSERT OR REPLACE INTO claims VALUES (?,?)", sorted(flushing.items()))
            self._writing.execute("UPDATE tracking SET position=max(position, ?)", (max(flushing.values()),))
            self._writing.execute("COMMIT")
        except sqlite3.Error:
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
            with self._lock:
                self._young = flushing | self._young
                self._flushing = {}
            raise
        with self._lock:
            self._flushing = {}

    def close(self) -> None:
        self._reading.close()
        self._writing.close()
