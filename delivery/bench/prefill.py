"""A ledger with a past: events appended through the ledger's own `append`, views followed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256

from core.clock import SystemClock
from core.ledger.unit import Body, Claim, Entry, Unit
from core.model.delivery import Attempt, Created, Delivered
from core.model.portal_event import Proof, Received
from core.model.webhook import Webhook
from core.wire.body import WIRE
from delivery.bench.stage import OWNER, TENANT
from delivery.service import Service

UNITS = 500
"""Units appended at a time."""
HEADERS = (
    ("Server", "bench"),
    ("Date", "Tue, 24 Nov 2026 08:00:00 GMT"),
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Length", "2"),
)
DATA, PAYLOAD, ANSWER = os.urandom(200).hex().encode(), os.urandom(150).hex().encode(), b"ok"


async def delivered(service: Service, webhooks: Sequence[Webhook], events: int) -> None:
    """At least *events* recorded events of portal events that were received and delivered, three each."""
    past = Past([webhook.number for webhook in webhooks])
    assert service.carrier is not None
    # On a slow machine a delivery is due for a moment, before it is delivered here.
    service.carrier.dispatch.gate.shut()
    for _ in range(0, events, 3 * UNITS):
        received = [past.received(number) for number in range(UNITS)]
        answers = await service.office.writer.append(received)
        outcomes = []
        for unit, position in zip(received, answers, strict=True):
            assert type(position) is int
            outcomes.append(past.delivered(unit.entries[1], position + 1))
        await service.office.writer.append(outcomes)
        await _keep_up(service)
    service.carrier.dispatch.gate.open()


async def pending(service: Service, webhooks: Sequence[Webhook], deliveries: int) -> None:
    """So many pending deliveries for each of *webhooks*."""
    numbers = [webhook.number for webhook in webhooks]
    past = Past(numbers)
    for _ in range(0, deliveries, UNITS):
        await service.office.writer.append([past.received(number, numbers) for number in range(UNITS)])
        await _keep_up(service)


async def _keep_up(service: Service) -> None:
    for follower in service.office.followers:
        await follower.flush()


class Past:
    """Makes units as intake and workers make them, for webhooks of these numbers."""

    def __init__(self, webhooks: Sequence[int]) -> None:
        self._webhooks = webhooks
        self._clock = SystemClock()

    def received(self, number: int, webhooks: Sequence[int] = ()) -> Unit:
        """A portal event with a delivery to each of *webhooks*; to one whose turn it is, when none are named."""
        webhooks = webhooks or (self._webhooks[number % len(self._webhooks)],)
        now = self._clock.now_ms()
        prefix, salt = now.to_bytes(6, "big") + os.urandom(7), os.urandom(16)
        stream = prefix + b"\0\0\0"
        event = Received(
            TENANT,
            now,
            f"past-{os.urandom(12).hex()}",
            "file.updated",
            "file.updated",
            9,
            now,
            OWNER,
            "file",
            (1_000 + number % 100,),
            (f"user:{OWNER}", "role:admin"),
            ("http", "0" * 32),
            "files",
            "0.1.0",
            None,
            len(webhooks),
            Proof(len(DATA), sha256(salt + DATA).digest()),
            Proof(len(PAYLOAD), sha256(salt + PAYLOAD).digest()),
        )
        entries = [Entry(stream, 1, event)]
        for index, webhook in enumerate(webhooks, 1):
            entries.append(Entry(prefix + index.to_bytes(3, "big"), 1, Created(TENANT, now, webhook, stream)))
        return Unit(entries, Claim(f"event:{TENANT}", event.id), bodies=(Body(0, salt, DATA, PAYLOAD),))

    def delivered(self, created: Entry, number: int) -> Unit:
        """That the delivery with this number was delivered."""
        now, salt = self._clock.now_ms(), os.urandom(16)
        event = created.event
        assert isinstance(event, Created)
        attempt = Attempt(
            1,
            now,
            3,
            1,
            b"\0" * 16,
            WIRE,
            None,
            None,
            sha256(salt).digest(),
            200,
            "",
            HEADERS,
            Proof(len(ANSWER), sha256(salt + ANSWER).digest()),
            False,
        )
        outcome = Delivered(TENANT, now, event.webhook, number, attempt)
        return Unit([Entry(created.stream, 2, outcome)], bodies=(Body(0, salt, ANSWER),))
