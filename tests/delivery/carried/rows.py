"""Rows as the outbox hands them out, and what a worker must find in them again."""

from __future__ import annotations

from core.limits import EVENT_READER_CHARS_MAX
from delivery.rows import Content, Row
from tests.wire.facts import received

SEEN = ("number", "webhook", "delivery", "event", "version", "attempt", "due", "failed_at", "failure")


def a_row(number, webhook, size=100, attempt=1, readers=0):
    """A delivery of an event with a payload of that size, and so many readers with long names; from the second attempt
    on, one that failed before."""
    failed = (1_700_000_000_000, "503 Service Unavailable") if attempt > 1 else (None, None)
    row = Row(number, webhook, b"d%015d" % number, b"e%015d" % number, attempt, attempt, number, *failed)
    row.content = Content(
        received(actor=f"user-{number}", readers=("r" * EVENT_READER_CHARS_MAX,) * readers or None), b"x" * size
    )
    return row


def seen(row):
    """All of it that a worker needs."""
    return [*(getattr(row, name) for name in SEEN), row.content.received, row.content.payload]
