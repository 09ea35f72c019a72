"""Random ledgers: portal events and what becomes of their deliveries, in any order that could happen."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

from core.ledger.unit import Body, Entry, Unit
from core.model import delivery, person, portal_event, webhook
from tests.builders import NOW, Books

PROOF = portal_event.Proof(3, b"h" * 32)
TRIGGERS = ("file.created", "file.updated", "room.created", None)
WEBHOOKS = 3
STATUSES = (None, 302, 404, 410, 429, 500, 503)

TARGETS = ((), (7,), ("7",), (991, "naïve"), ("sbox-7-|x",))
TITLES = ("Naïve.docx", "Straße 7", "<plan> & more", "")

STEP = st.tuples(
    st.sampled_from(("event", "event", "failed", "failed", "delivered", "late", "cancelled", "redelivery", "webhook")),
    st.integers(0, 1_000),
    st.integers(0, 1_000),
)
STEPS = st.lists(STEP, max_size=40)
"""What happens, in order: a kind, and two numbers that pick the rest; what cannot happen is passed over."""


def payload_of(event: portal_event.Received) -> bytes:
    """What receivers get of an event; in the bytes of JSON, where most letters have a second form."""
    title = TITLES[int(event.id[1:]) % len(TITLES)]
    return json.dumps({"id": 5, "title": title, "inner": {"title": "deep"}}).encode()


class Happened:
    """Makes units of steps. Webhooks come first, so that their numbers are known."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.position = 0
        self.now = NOW
        self.webhooks: list[tuple[int, bytes]] = []
        self.webhook_versions: dict[int, int] = {}
        self.events: dict[int, bytes] = {}
        """Delivery → the stream of its portal event."""
        self.versions: dict[int, int] = {}
        self.streams: dict[int, tuple[bytes, int, str]] = {}
        self.attempts: dict[int, int] = {}
        self.open: list[int] = []
        for index in range(WEBHOOKS):
            stream = self._stream()
            tenant = "1" if index else "2"
            event = webhook.Created(tenant, self.now, None, "any", "http://h/", None, (), None, True, True, b"s" * 16)
            self.webhooks.append((self._unit(Entry(stream, 1, event)), stream))
            self.webhook_versions[index] = 1

    def tell(self, steps: Sequence[tuple[str, int, int]]) -> list[Unit]:
        for kind, one, other in steps:
            self.now += one % 7
            getattr(self, f"_{kind}")(one, other)
        return self.units

    def _unit(self, *entries: Entry) -> int:
        """Position of its first event."""
        bodies = tuple(
            Body(index, b"salt" * 4, b"sent", payload_of(entry.event))
            for index, entry in enumerate(entries)
            if isinstance(entry.event, portal_event.Received)
        )
        self.units.append(Unit(list(entries), bodies=bodies))
        first = self.position + 1
        self.position += len(entries)
        return first

    def _stream(self) -> bytes:
        return self.now.to_bytes(6, "big") + len(self.units).to_bytes(7, "big") + bytes(3)

    def _created(self, index: int, stream: bytes, cause: delivery.Redelivery | None) -> delivery.Created:
        return delivery.Created("1" if index else "2", self.now, self.webhooks[index][0], stream, cause)

    def _begun(self, number: int, index: int, stream: bytes, event: bytes) -> None:
        self.events[number] = event
        self.streams[number] = (stream, self.webhooks[index][0], "1" if index else "2")
        self.versions[number], self.attempts[number] = 1, 0
        self.open.append(number)

    def _event(self, one: int, other: int) -> None:
        stream = self._stream()
        trigger = TRIGGERS[one % 4]
        hearers = [index for index in range(WEBHOOKS) if other >> index & 1 and trigger is not None]
        received = portal_event.Received(
            "1", self.now, f"e{len(self.units)}", "x.y" if trigger is None else trigger, trigger, None, None, None,
            None, TARGETS[other % 5], None, ("http", "t"), "p", "0", None, len(hearers), PROOF, PROOF,
        )  # fmt: skip
        entries = [Entry(stream, 1, received)]
        if other % 5 == 0:
            taught = person.Set("1", self.now, f"p{one}", self.now, None, None, None, (), (), stream)
            entries.append(Entry(stream[:13] + b"\0\1\0", 1, taught))
        begun = []
        for index in hearers:
            own = stream[:13] + bytes((0, 0, index + 1))
            begun.append((self.position + len(entries) + 1, index, own))
            entries.append(Entry(own, 1, self._created(index, stream, None)))
        self._unit(*entries)
        for number, index, own in begun:
            self._begun(number, index, own, stream)

    def _redelivery(self, one: int, other: int) -> None:
        if self.events:
            of = list(self.events)[one % len(self.events)]
            stream, own = self.events[of], self._stream()
            index = next(index for index, (number, _) in enumerate(self.webhooks) if number == self.streams[of][1])
            cause = delivery.Redelivery(of, None if other % 2 else "u1")
            self._begun(self._unit(Entry(own, 1, self._created(index, stream, cause))), index, own, stream)

    def _attempt(self, number: int, status: int | None) -> delivery.Attempt:
        reason = "" if status is not None and status < 300 else f"it said {status}, " + "and went on " * (number % 30)
        return delivery.Attempt(
            max(self.attempts[number], 1), self.now - 3, 3, 1, b"s" * 16, 1, None, None, b"h" * 32, status, reason,
            (("Server", "x"),), None, False,
        )  # fmt: skip

    def _recorded(self, number: int, event: delivery.DeliveryEvent) -> None:
        self.versions[number] += 1
        self._unit(Entry(self.streams[number][0], self.versions[number], event))

    def _failed(self, one: int, other: int) -> None:
        if self.open:
            number = self.open[one % len(self.open)]
            self.attempts[number] += 1
            _, hook, tenant = self.streams[number]
            status = STATUSES[other % len(STATUSES)]
            due = None if self.attempts[number] > other % 4 else self.now + other
            holds = self.now + 50 if status in (429, 503) else None
            attempt = self._attempt(number, status)
            self._recorded(
                number, delivery.AttemptFailed(tenant, self.now, hook, number, attempt, due, None, False, holds)
            )
            if due is None:
                self.open.remove(number)

    def _delivered(self, one: int, other: int) -> None:
        if self.open:
            number = self.open.pop(one % len(self.open))
            self.attempts[number] += 1
            _, hook, tenant = self.streams[number]
            attempt = self._attempt(number, 200 + other % 7)
            self._recorded(number, delivery.Delivered(tenant, self.now, hook, number, attempt))

    def _late(self, one: int, other: int) -> None:
        if self.streams:
            number = list(self.streams)[one % len(self.streams)]
            _, hook, tenant = self.streams[number]
            attempt = self._attempt(number, (200, 500, None)[other % 3])
            self._recorded(number, delivery.LateAttempt(tenant, self.now, hook, number, attempt))

    def _cancelled(self, one: int, other: int) -> None:
        if self.open:
            number = self.open.pop(one % len(self.open))
            _, hook, tenant = self.streams[number]
            reason = "deleted" if other % 2 else "disabled"
            self._recorded(number, delivery.Cancelled(tenant, self.now, hook, number, reason))

    def _webhook(self, one: int, other: int) -> None:
        index = one % WEBHOOKS
        tenant = "1" if index else "2"
        event = (
            webhook.Enabled(tenant, self.now, None) if other % 2 else webhook.Disabled(tenant, self.now, None, "gone")
        )
        self.webhook_versions[index] += 1
        self._unit(Entry(self.webhooks[index][1], self.webhook_versions[index], event))


@contextmanager
def books_of(steps: Sequence[tuple[str, int, int]]) -> Iterator[Books]:
    """A ledger on disk that holds these steps, each unit in a commit of its own, a second after the one before."""
    data = Path(tempfile.mkdtemp(prefix="hookledger-"))
    try:
        with Books(data) as books:
            # No power will be cut here, and hundreds of these are made.
            books.recorder.writing.execute("PRAGMA synchronous=OFF")
            for index, unit in enumerate(Happened().tell(steps)):
                books.append(unit, at=NOW + index * 1_000)
            yield books
    finally:
        shutil.rmtree(data)
