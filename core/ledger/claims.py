"""Which claims are taken: the ledger's claims by key, in memory while young, in a file of their own when old.

A claim is recorded in the ledger in its unit's transaction, in the order of positions, which costs next to nothing.
Finding one again needs an index by key, and keys are random: written with each commit, that index would dirty a
page for every claim. It holds nothing that is not in the ledger, so it is written now and then, sorted, in the
background, and what it lacks is read from the ledger at the start. Where it is damaged, or another ledger's, it is made
anew.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from core.errors import LedgerError
from core.ledger.connection import connect
from core.ledger.fault import in_words, rolled_back
from core.ledger.unit import Claim, key_of
from core.log import Log

log = Log("claims")

CLAIMS_FILE = "claims.sqlite"

YOUNG_MAX = 32_768
"""Claims kept in memory before they are written to the index."""
WAITING_MAX = 8 * YOUNG_MAX
"""Claims kept in memory while the index cannot be written; beyond it nothing with a claim is recorded."""

TABLE = "CREATE TABLE IF NOT EXISTS claims (key BLOB PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"
TRACKING = "CREATE TABLE IF NOT EXISTS tracking (ledger BLOB PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"


class Claims:
    """Exact and for ever. `find` and `add` belong to the writer's thread, `flush` to any one other."""

    def __init__(self, path: Path, ledger: sqlite3.Connection, ledger_id: bytes) -> None:
        self._path, self._ledger, self._ledger_id = path, ledger, ledger_id
        self._young: dict[bytes, int] = {}
        self._flushing: dict[bytes, int] = {}
        self._lock = threading.Lock()
        """On the two above."""
        self._file_lock = threading.RLock()
        """On writing the index, and on taking another file for it."""
        self._is_damaged = False
        self._flush_at = YOUNG_MAX
        """How many young ones are written to the index; more, after it could not be written."""
        self.fault: str | None = None
        """Why the index was not written the last time; None when it was."""
        try:
            self._reading = self._open()
            self._writing = connect(path, "NORMAL")
            self._catch_up()
        except sqlite3.OperationalError as error:
            raise LedgerError(in_words(error, path)) from error

    def _open(self) -> sqlite3.Connection:
        """The index as it is, or an empty one where it is not this ledger's, or cannot be read."""
        try:
            connection = connect(self._path, "NORMAL")
            try:
                return self._begun(connection)
            except BaseException:  # whatever it was, it does not stay open
                connection.close()
                raise
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            return self._begun(self._empty())

    def _begun(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        connection.execute(TABLE)
        connection.execute(TRACKING)
        known = connection.execute("SELECT position FROM tracking WHERE ledger=?", (self._ledger_id,)).fetchone()
        (head,) = self._ledger.execute("SELECT max(last) FROM commits").fetchone()
        if known is not None and known[0] > (head or 0):
            raise LedgerError(rolled_back(self._path, known[0], head or 0))
        if known is None:
            connection.execute("DELETE FROM claims")
            connection.execute("DELETE FROM tracking")
            connection.execute("INSERT INTO tracking VALUES (?, 0)", (self._ledger_id,))
        return connection

    def _empty(self) -> sqlite3.Connection:
        log.say("claims.unreadable", file=self._path)
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return connect(self._path, "NORMAL")

    def _catch_up(self) -> None:
        (position,) = self._reading.execute("SELECT position FROM tracking").fetchone()
        rows = self._ledger.execute("SELECT key, position FROM claims WHERE position>? ORDER BY position", (position,))
        while some := rows.fetchmany(YOUNG_MAX):
            self._young.update(some)
            if self.is_full:
                self.flush()

    def _make_anew(self) -> None:
        """All from the ledger once more; it is slow, and better than to know nothing of old claims."""
        with self._file_lock:
            self.close()
            self._young, self._is_damaged = {}, False
            self._reading = self._begun(self._empty())
            self._writing = connect(self._path, "NORMAL")
            self._catch_up()

    def key(self, claim: Claim) -> bytes:
        """16 bytes that stand for a claim."""
        return key_of(claim, self._ledger_id)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Those of *keys* that are taken, with the position of the event that holds them. LedgerError when the index
        does not open, or was not written for long."""
        if len(self._young) >= WAITING_MAX and keys:
            raise LedgerError(self.fault or f"{self._path} is not written fast enough")
        try:
            if not self._is_damaged:
                return self._find(keys)
        except sqlite3.OperationalError as error:
            raise LedgerError(in_words(error, self._path)) from error
        except sqlite3.DatabaseError as error:
            log.say("claims.damaged", file=self._path, error=error)
        self._make_anew()
        return self._find(keys)

    def _find(self, keys: Sequence[bytes]) -> dict[bytes, int]:
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
    def young(self) -> int:
        """Claims that are not in the index on disk yet."""
        return len(self._young) + len(self._flushing)

    @property
    def is_full(self) -> bool:
        return len(self._young) >= self._flush_at and not self._flushing

    def flush(self) -> None:
        """Write the young claims to the index, sorted by key; blocks. If it fails they stay young: nothing is lost."""
        with self._file_lock:
            with self._lock:
                if not self._young:
                    return
                self._flushing, self._young = self._young, {}
                flushing = self._flushing
            try:
                self._write(flushing)
            except sqlite3.Error as error:
                self._not_written(error)
                with self._lock:
                    self._young = flushing | self._young
                    self._flush_at = len(self._young) + YOUNG_MAX // 4
            else:
                self.fault, self._flush_at = None, YOUNG_MAX
            with self._lock:
                self._flushing = {}

    def _not_written(self, error: sqlite3.Error) -> None:
        self._is_damaged = not isinstance(error, sqlite3.OperationalError)
        fault = in_words(error, self._path)
        if fault != self.fault:
            log.say("claims.not_written", file=self._path, error=fault)
        self.fault = fault

    def _write(self, claims: dict[bytes, int]) -> None:
        self._writing.execute("BEGIN IMMEDIATE")
        try:
            self._writing.executemany("INSERT OR REPLACE INTO claims VALUES (?,?)", sorted(claims.items()))
            self._writing.execute("UPDATE tracking SET position=max(position, ?)", (max(claims.values()),))
            self._writing.execute("COMMIT")
        except sqlite3.Error:
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._reading.close()
        self._writing.close()
