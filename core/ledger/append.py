"""Append units to the SQLite ledger: judge them in order, insert what holds, commit once.

A unit is judged against the ledger plus the units before it in the same transaction, before anything is inserted, so
a refused unit never fails its neighbours. The way taken first does not look up streams that a unit begins: their
ids are random, and the table's own key finds the one that is there already. Only if it does, the transaction is
rolled back and judged again with every look-up made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from core.ledger.claims import CLAIMS_FILE, Claims
from core.ledger.fault import in_words, is_damage
from core.ledger.sqlite import SqliteRecorder, insert_rows
from core.ledger.unit import (
    CATALOGUE,
    ZERO_VERSION,
    Answer,
    Appended,
    Condition,
    Duplicate,
    StaleDirectory,
    StaleStream,
    Unit,
    Unwritable,
    chain,
)
from core.log import Log
from core.model.catalogue import Changed as CatalogueChanged
from core.model.topics import DIRECTORY_EVENTS, LANDMARKS, Codec

log = Log("ledger")

PROBE_BYTES = 256 * 1024

RECENT_STREAMS = 32_768
"""Streams whose version is kept in memory."""


class SqliteAppender:
    """The one writer of a ledger file; not for two threads at once."""

    append_alone = None
    reads_all = False

    def __init__(self, recorder: SqliteRecorder, codec: Codec) -> None:
        self.claims = Claims(recorder.path.with_name(CLAIMS_FILE), recorder.writing, recorder.identity)
        self.recorder = recorder
        self._connection = recorder.writing
        self._codec = codec
        self._directories: dict[str, bytes] = {}
        self._recent: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}
        self.last = 0
        self.last_at = 0
        self._load()

    def _load(self) -> None:
        self._directories = dict(self._connection.execute("SELECT tenant, version FROM directories"))
        row = self._connection.execute("SELECT last, at FROM commits ORDER BY last DESC LIMIT 1").fetchone()
        self.last, self.last_at = row or (0, 0)

    def condition(self, tenant: str) -> Condition:
        """What a unit decided on the ledger as it is now would have to name."""
        return Condition(
            tenant, self._directories.get(tenant, ZERO_VERSION), self._directories.get(CATALOGUE, ZERO_VERSION)
        )

    def append(self, units: Sequence[Unit], now_ms: int) -> Appended:
        """Commit what holds of *units*, after `recorder.check()`. Raises sqlite3.Error when the disk does not take it;
        then nothing is kept."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            judged = _Judged(self, now_ms)
            try:
                judged.judge(units, thorough=False)
                judged.insert()
            except sqlite3.IntegrityError:
                self._connection.execute("ROLLBACK")
                self._connection.execute("BEGIN IMMEDIATE")
                judged = _Judged(self, now_ms)
                judged.judge(units, thorough=True)
                judged.insert()
            self._connection.execute("COMMIT")
        except BaseException as error:  # whatever it was, no transaction may stay open
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if is_damage(error):
                self.recorder.damage = in_words(error, self.recorder.path)
                raise
            if not self._was_committed(judged.last):
                raise
        previous = self.last
        if judged.last > previous:
            self.last, self.last_at = judged.last, judged.at
            self._directories |= judged.directories
            self.claims.add(judged.taken)
            self._remember(judged.versions)
        return Appended(previous, judged.last, judged.answers, judged.at)

    def look(self) -> Appended:
        """As an append of nothing; nobody else writes this file."""
        return Appended(self.last, self.last, [], self.last_at)

    def probe(self) -> None:
        """See whether the disk takes about as much as a commit brings. sqlite3.Error or LedgerError if not."""
        self.recorder.check()
        if self.claims.fault is not None:
            self.claims.flush()
        self._connection.execute("REPLACE INTO snapshots VALUES ('probe', 0, zeroblob(?))", (PROBE_BYTES,))
        self._connection.execute("DELETE FROM snapshots WHERE name='probe'")

    def save_snapshot(self, name: str, position: int, state: bytes) -> None:
        """Keep a snapshot beside the events; it holds nothing that is not in them."""
        self._connection.execute("REPLACE INTO snapshots VALUES (?,?,?)", (name, position, state))

    def _was_committed(self, last: int) -> bool:
        """A commit whose answer was lost may have happened: ask the disk before calling it failed."""
        if last == self.last:
            return False
        row = self._connection.execute("SELECT 1 FROM commits WHERE last=?", (last,)).fetchone()
        return row is not None

    def _remember(self, versions: dict[bytes, int]) -> None:
        if len(self._recent) >= RECENT_STREAMS:
            self._recent, self._older = {}, self._recent
        self._recent |= versions

    def recent_version(self, stream: bytes) -> int | None:
        version = self._recent.get(stream)
        return self._older.get(stream) if version is None else version

    def directory(self, tenant: str) -> bytes:
        return self._directories.get(tenant, ZERO_VERSION)

    def encode(self, event: Any) -> tuple[str, bytes]:
        return self._codec.encode(event)

    def close(self) -> None:
        """Nothing is appended any more; the recorder is closed by itself."""
        self.claims.close()

    @property
    def connection(self) -> sqlite3.Connection:
        return self._connection


class _Judged:
    """The units of one transaction as they are judged, and the rows they come to."""

    def __init__(self, appender: SqliteAppender, now_ms: int) -> None:
        self._appender = appender
        self.at = max(now_ms, appender.last_at)
        self._first = appender.last + 1
        self.last = appender.last
        self.answers: list[Answer] = []
        self.directories: dict[str, bytes] = {}
        self.versions: dict[bytes, int] = {}
        self.taken: dict[bytes, int] = {}
        self._claims: dict[bytes, int] = {}
        self._events: list[Any] = []
        self._claim_rows: list[Any] = []
        self._bodies: list[Any] = []
        self._secrets: list[Any] = []
        self._landmarks: list[Any] = []

    def judge(self, units: Sequence[Unit], *, thorough: bool) -> None:
        claims = self._appender.claims
        keys = [None if unit.claim is None else claims.key(unit.claim) for unit in units]
        self._claims = claims.find([key for key in keys if key is not None])
        self._look_up_versions(units, thorough=thorough)
        for unit, key in zip(units, keys, strict=True):
            refusal = self._refuse(unit, key)
            self.answers.append(self._take(unit, key) if refusal is None else refusal)

    def _refuse(self, unit: Unit, key: bytes | None) -> Answer | None:
        if key is not None and key in self._claims:
            return Duplicate(self._claims[key])
        condition = unit.condition
        if condition is not None and (
            self._directory(condition.tenant) != condition.directory
            or self._directory(CATALOGUE) != condition.catalogue
        ):
            return StaleDirectory(condition.tenant)
        here: dict[bytes, int] = {}
        for stream, version, _ in unit.entries:
            at = here.get(stream)
            if at is None:
                at = self.versions.get(stream, 0)
            if at != version - 1:
                return StaleStream(stream, self.versions.get(stream, 0))
            here[stream] = version
        return None

    def _take(self, unit: Unit, key: bytes | None) -> int | Unwritable:
        """Take a unit that holds; its first position."""
        encode, rows, versions = self._appender.encode, self._events, self.versions
        first = position = self.last + 1
        before = len(rows)
        try:
            for stream, version, event in unit.entries:
                rows += (position, stream, version, *encode(event))
                position += 1
        except Exception as error:  # noqa: BLE001 -- its maker's bug, and must not fail its neighbours
            del rows[before:]
            log.say("unit.unwritable", error)
            return Unwritable(f"{type(error).__name__}: {error}")
        self.last, position = position - 1, first
        for stream, version, event in unit.entries:
            versions[stream] = version
            kind = type(event)
            if kind in LANDMARKS:
                self._landmarks.append(position)
                if kind in DIRECTORY_EVENTS:
                    self.directories[event.tenant] = chain(self._directory(event.tenant), stream, version, event)
                elif kind is CatalogueChanged:
                    self.directories[CATALOGUE] = chain(self._directory(CATALOGUE), stream, version, event)
            position += 1
        if key is not None:
            self._claims[key] = self.taken[key] = first
            self._claim_rows += (first, key)
        for entry, salt, data, payload in unit.bodies:
            self._bodies += (first + entry, salt, data, payload)
        for secret in unit.secrets:
            self._secrets += secret
        return first

    def _directory(self, tenant: str) -> bytes:
        version = self.directories.get(tenant)
        return self._appender.directory(tenant) if version is None else version

    def _look_up_versions(self, units: Sequence[Unit], *, thorough: bool) -> None:
        """Versions of the streams that units go on with; also of those they begin, if *thorough*."""
        versions, recent = self.versions, self._appender.recent_version
        unknown = []
        for unit in units:
            for stream, version, _ in unit.entries:
                if (version > 1 or thorough) and stream not in versions:
                    known = recent(stream)
                    if known is None:
                        unknown.append(stream)
                    else:
                        versions[stream] = known
        for start in range(0, len(unknown), 64):
            some = unknown[start : start + 64]
            some += [some[0]] * (64 - len(some))
            marks = ",".join("?" * 64)
            rows = self._appender.connection.execute(
                f"SELECT stream, max(version) FROM events WHERE stream IN ({marks}) GROUP BY stream", some
            )
            versions.update(rows.fetchall())

    def insert(self) -> None:
        if self.last < self._first:
            return
        connection = self._appender.connection
        insert_rows(connection, "claims", 2, self._claim_rows)
        insert_rows(connection, "events", 5, self._events)
        insert_rows(connection, "bodies", 4, self._bodies)
        insert_rows(connection, "secrets", 3, self._secrets)
        insert_rows(connection, "landmarks", 1, self._landmarks)
        directories: list[Any] = []
        for tenant_version in self.directories.items():
            directories += tenant_version
        insert_rows(connection, "directories", 2, directories, verb="REPLACE")
        connection.execute("INSERT INTO commits VALUES (?,?,?)", (self.last, self._first, self.at))
