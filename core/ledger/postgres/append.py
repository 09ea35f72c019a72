"""Append units to a ledger on PostgreSQL: one call of its function `append`, which judges, inserts and answers.

Any number of processes may; the function takes them one after the other. What is committed is in the order of
positions, without a gap.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg

from core.ledger.fault import FAULTS
from core.ledger.postgres.columns import APPEND, Columns
from core.ledger.postgres.recorder import Connection, PostgresRecorder, connect, in_the_librarys_words
from core.ledger.read import Reader
from core.ledger.unit import CATALOGUE, ZERO_VERSION, Appended, Body, Claim, Condition, Recorded, Unit, key_of
from core.limits import MISSED_EVENTS_MAX
from core.log import Log
from core.model.portal_event import Received
from core.model.topics import Codec

log = Log("ledger")

HEAD = "SELECT last, at FROM commits ORDER BY last DESC LIMIT 1"
PRESENT = "SELECT pg_advisory_lock_shared(8421, hashtext(current_schema()::text))"
"""As long as nobody else holds it, a commit tells nobody (migrations/0004_tell_others.sql)."""
LOCK = (
    "BEGIN ISOLATION LEVEL READ COMMITTED;"
    # The one that the function `append` takes.
    " SELECT pg_advisory_xact_lock(8420, hashtext(current_schema()::text));"
    " SELECT coalesce(max(last), 0) FROM commits"
)
AGAIN_S = 0.25
"""How long until a lost answer is asked for again."""


class Missed(NamedTuple):
    """What others have recorded, as `Appended` has it."""

    events: tuple[Recorded, ...]
    bodies: dict[int, Body] | None


NOTHING = Missed((), None)


class PostgresClaims:
    """Which claims are taken: a table with an index, which the ledger's function writes."""

    is_full = False
    young = 0
    fault: str | None = None

    def __init__(self, recorder: PostgresRecorder) -> None:
        self._recorder, self._ledger_id = recorder, recorder.identity

    def key(self, claim: Claim) -> bytes:
        """16 bytes that stand for a claim; keyed by the ledger, so that nobody can look for two that look alike."""
        return key_of(claim, self._ledger_id)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Those of *keys* that are taken, with the position of the event that holds them."""
        return dict(self._recorder.rows_of("SELECT key, position FROM claims WHERE key IN ({})", keys))

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


class PostgresAppender:
    """Appends for one process; not for two threads at once."""

    def __init__(self, recorder: PostgresRecorder, codec: Codec, writer: bytes) -> None:
        """*writer*: 16 random bytes, this process's name."""
        self.recorder, self._codec, self._writer = recorder, codec, writer
        self.claims = PostgresClaims(recorder)
        self._calls = 0
        self._fault: str | None = None
        self._closing = threading.Event()
        self.on_lost: Callable[[str | None], None] = lambda _fault: None
        """Called, in the thread that appends, with why an answer is waited for, and with None when it has come."""
        with in_the_librarys_words():
            self._connection = self._present()
        self.reads_all = False
        """Whether all that others record is read, as who follows views needs it, or only what moves a directory."""
        self._reader = Reader(recorder, codec)
        self.last = self._reader.head()

    def condition(self, tenant: str) -> Condition:
        """What a unit decided on the ledger as it is now would have to name."""
        return Condition(tenant, self.directory(tenant), self.directory(CATALOGUE))

    def directory(self, tenant: str) -> bytes:
        """The version of a tenant's directory, as it is just now."""
        rows = self.recorder.rows("SELECT version FROM directories WHERE tenant=?", (tenant,))
        return rows[0][0] if rows else ZERO_VERSION

    def append(self, units: Sequence[Unit], now_ms: int) -> Appended:
        """Commit what holds of *units*. PersistenceError when the database does not take it; then nothing is kept.

        When the connection breaks after they were sent, nobody knows whether they were committed: it goes on asking
        until the database says so, or `close` was called; blocks."""
        call = Columns(units, self._codec.encode, self.claims.key)
        self._calls += 1
        with in_the_librarys_words():
            try:
                row = self._answer(call, now_ms)
            except psycopg.errors.UniqueViolation:
                # A stream that was thought new is there already.
                call.look_at_all()
                row = self._answer(call, now_ms)
        return self._appended(call, row)

    def append_alone(self, make: Callable[[Sequence[Recorded]], Sequence[Unit]], now_ms: int) -> Appended:
        """Take the ledger's lock, read to its end, have *make* say what to append, with what was missed, and commit
        that: nobody else appends between. *make* is called once, or not at all.

        Errors as of `append`. Who needs longer than IDLE_IN_TRANSACTION_S, or loses the connection, loses the lock:
        then the units are asked for as any others are, and those that others have overtaken are refused."""
        with in_the_librarys_words():
            connection, head = self._locked()
            try:
                missed = self._missed(head)
                call = Columns(make(missed.events), self._codec.encode, self.claims.key)
            except BaseException:  # whatever it was, nobody waits for a lock that leads nowhere
                _roll_back(connection)
                raise
            self.last = head
            # No second try, as in `append`, within a transaction.
            call.look_at_all()
            self._calls += 1
            try:
                row = self._call(connection, call, now_ms)
                connection.execute("COMMIT")
            except psycopg.Error as error:
                if not connection.closed or self._closing.is_set():
                    _roll_back(connection)
                    raise
                self._lost(" ".join(str(error).split()))
                row = self._answer(call, now_ms)
        return self._appended(call, row)

    def _locked(self) -> tuple[Connection, int]:
        """A connection in a transaction that has the lock, and the ledger's head."""
        while True:
            connection = self._connected()
            try:
                cursor = connection.execute(LOCK)
                while cursor.nextset():
                    pass
                ((head,),) = cursor.fetchall()
            except psycopg.Error as error:
                # One that was idle, and cut meanwhile, is made again: nothing was asked that could have happened.
                if not connection.closed or self._closing.is_set():
                    _roll_back(connection)
                    raise
                self._lost(" ".join(str(error).split()))
                self._closing.wait(AGAIN_S)
            else:
                self._lost(None)
                return connection, head

    def _appended(self, call: Columns, row: tuple[Any, ...]) -> Appended:
        previous, last, at, kinds, places, entries = row
        missed = self._missed(previous)
        self.last = last
        return Appended(previous, last, call.answers(kinds or (), places or (), entries or ()), at, *missed)

    def look(self) -> Appended:
        """As an append of nothing: what others have recorded. PersistenceError when that cannot be read."""
        with in_the_librarys_words():
            head, at = self._head() or (0, 0)
        head = max(head, self.last)
        missed = self._missed(head)
        self.last = head
        return Appended(head, head, [], at, *missed)

    def _head(self) -> tuple[Any, ...] | None:
        # On the connection that is to be there: if it was idle and has been cut, it is there again.
        try:
            return self._connected().execute(HEAD).fetchone()
        except psycopg.Error:
            if not self._connection.closed or self._closing.is_set():
                raise
        return self._connected().execute(HEAD).fetchone()

    def _missed(self, upto: int) -> Missed:
        """What was recorded after `last`, not by us. What was committed must be followed in its order: it is asked for
        until it is there."""
        while upto > self.last:
            try:
                found = self._read(upto)
            except FAULTS as error:
                if self._closing.is_set():
                    raise
                self._lost(" ".join(str(error).split()))
                self._closing.wait(AGAIN_S)
            else:
                self._lost(None)
                return found
        return NOTHING

    def _read(self, upto: int) -> Missed:
        count = upto - self.last
        if self.reads_all and count <= MISSED_EVENTS_MAX:
            events = self._reader.after(self.last, count)
            if events and events[-1].position == upto:
                sent = [position for position, _, _, event in events if type(event) is Received and event.deliveries]
                payloads = self._reader.payloads(sent)
                bodies = {position: Body(0, b"", b"", payload) for position, payload in payloads.items()}
                return Missed(tuple(events), bodies)
        found = self._reader.landmarks(self.last)
        return Missed(tuple(recorded for recorded in found if recorded.position <= upto), None)

    def _answer(self, call: Columns, now_ms: int) -> tuple[Any, ...]:
        was_sent = False
        while True:
            try:
                connection = self._connected()
                was_sent = True
                row = self._call(connection, call, now_ms)
            except psycopg.Error as error:
                # On a connection that is still whole the transaction was rolled back. What ends one has many names.
                if not self._connection.closed or not was_sent or self._closing.is_set():
                    raise
                self._lost(" ".join(str(error).split()))
                self._closing.wait(AGAIN_S)
            else:
                self._lost(None)
                return row

    def _call(self, connection: Connection, call: Columns, now_ms: int) -> tuple[Any, ...]:
        parameters = (self._writer, self._calls, now_ms, *call.columns)
        with connection.cursor(binary=True) as cursor:
            row = cursor.execute(APPEND, parameters, prepare=True).fetchone()
        assert row is not None
        return row

    def _connected(self) -> Connection:
        if self._connection.closed and not self._closing.is_set():
            self._connection = self._present()
        return self._connection

    def _present(self) -> Connection:
        """A connection that tells others that we are there. What is read after this, and what was told, is all."""
        connection = connect(self.recorder.url, self.recorder.schema)
        try:
            connection.execute(PRESENT)
        except BaseException:  # whatever it was, nothing stays open
            connection.close()
            raise
        return connection

    def _lost(self, fault: str | None) -> None:
        if fault == self._fault:
            return
        if fault is None:
            log.say("ledger.connected_again")
        elif self._fault is None:
            log.say("ledger.connection_lost", error=fault)
        self._fault = fault
        self.on_lost(fault)

    def probe(self) -> None:
        """See whether the database takes something. PersistenceError if not."""
        self.save_snapshot("probe", 0, b"")

    def save_snapshot(self, name: str, position: int, state: bytes) -> None:
        """Keep a snapshot beside the events; it holds nothing that is not in them."""
        with in_the_librarys_words():
            self._connected().execute(
                "INSERT INTO snapshots VALUES (%s, %s, %s)"
                " ON CONFLICT (name) DO UPDATE SET position=excluded.position, state=excluded.state",
                (name, position, state),
            )

    def close(self) -> None:
        """Nothing is appended any more; who waits for an answer waits no longer. From any thread."""
        self._closing.set()
        self._connection.close()


def _roll_back(connection: Connection) -> None:
    if not connection.closed:
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
