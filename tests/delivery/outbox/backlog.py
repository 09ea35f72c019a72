"""Deliveries that wait in the ledger already, as many as a test wants, put there by the appender itself."""

from __future__ import annotations

from pathlib import Path

from core.ledger.append import SqliteAppender
from core.ledger.sqlite import SqliteRecorder
from core.ledger.unit import Body, Entry, Unit
from core.model import delivery
from core.model.portal_event import Proof, Received
from core.model.topics import Codec

PAYLOAD = b'{"title":"waits"}'
UNIT_DELIVERIES = 100
"""Deliveries of one event: their content is shared, and the ledger stays small."""


def append_backlog(data: Path, webhooks: list[int], count: int, at_ms: int, payload: bytes = PAYLOAD) -> None:
    """*count* deliveries for each of these webhooks, due at *at_ms*; no service may be running."""
    recorder = SqliteRecorder(data / "ledger.sqlite", "OFF")
    appender = SqliteAppender(recorder, Codec())
    for webhook in webhooks:
        units = [
            _unit(webhook, first, min(UNIT_DELIVERIES, count - first), at_ms, payload)
            for first in range(0, count, UNIT_DELIVERIES)
        ]
        answers = appender.append(units, at_ms).answers
        assert all(type(answer) is int for answer in answers)
    appender.close()
    recorder.close()


def _unit(webhook: int, first: int, count: int, at_ms: int, payload: bytes) -> Unit:
    prefix = at_ms.to_bytes(6, "big") + webhook.to_bytes(3, "big") + first.to_bytes(4, "big")
    event = prefix + bytes(3)
    received = Received(
        "1", at_ms, event.hex(), "file.updated", "file.updated", 9, None, None, "file", (1,), ("everyone",),
        ("http", "test"), "files", "1", None, count, Proof(2, bytes(32)), Proof(len(payload), bytes(32)),
    )  # fmt: skip
    created = delivery.Created("1", at_ms, webhook, event)
    streams = [prefix + (n + 1).to_bytes(3, "big") for n in range(count)]
    entries = [Entry(event, 1, received), *(Entry(stream, 1, created) for stream in streams)]
    return Unit(entries, bodies=(Body(0, bytes(16), b"{}", payload),))
