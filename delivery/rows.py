"""What the outbox hands out: a due delivery with all that one attempt of it needs, and its lane."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from core.model.portal_event import Received
from core.wire.body import created_on, event_head_on
from delivery.window import Window


class Content:
    """What all deliveries of one portal event share: the recorded event, and its part of the body."""

    __slots__ = ("_head", "created_on", "payload", "received")

    def __init__(self, received: Received, payload: bytes) -> None:
        self.received = received
        self.payload = payload
        self.created_on = created_on(received)
        self._head: bytes | None = None

    @property
    def head(self) -> bytes:
        """Made for the first attempt: who hands over to workers elsewhere needs none."""
        if self._head is None:
            self._head = event_head_on(self.received, self.created_on)
        return self._head


class Mark:
    """Rows that were handed out together, under one mark in the database."""

    __slots__ = ("_left", "_on_over", "number")

    def __init__(self, number: int, rows: int, on_over: Callable[[int], None]) -> None:
        """*on_over* is called with the mark's number when none of its rows is under way any more."""
        self.number, self._left, self._on_over = number, rows, on_over

    @property
    def is_over(self) -> bool:
        return not self._left

    def leave(self) -> None:
        """One of them is recorded, or given back."""
        self._left -= 1
        if not self._left:
            self._on_over(self.number)


class Row:
    """One delivery that has not ended: its next attempt, and when that is due (milliseconds).

    `version` is its stream's. `failed_at` and `failure` are those of the attempt before.
    """

    __slots__ = (
        "attempt",
        "content",
        "delivery",
        "due",
        "event",
        "failed_at",
        "failure",
        "handed_out_at",
        "is_answered",
        "is_marked",
        "is_old",
        "is_ready",
        "is_suspect",
        "is_waiting",
        "last_success",
        "mark",
        "number",
        "traced",
        "version",
        "webhook",
    )

    def __init__(
        self,
        number: int,
        webhook: int,
        delivery: bytes,
        event: bytes,
        version: int,
        attempt: int,
        due: int,
        failed_at: int | None = None,
        failure: str | None = None,
    ) -> None:
        self.number = number
        self.webhook = webhook
        self.delivery = delivery
        self.event = event
        self.version = version
        self.attempt = attempt
        self.due = due
        self.failed_at = failed_at
        self.failure = failure
        self.last_success: int | None = None
        self.content: Content | None = None
        self.is_ready = self.is_marked = self.is_answered = self.is_waiting = False
        self.is_old = self.is_suspect = self.traced = False
        self.mark: Mark | None = None
        self.handed_out_at = 0
        """By the monotonic clock."""

    @property
    def size(self) -> int:
        """Bytes it keeps in memory; its content may be shared, and is counted with each."""
        return 0 if self.content is None else len(self.content.payload)


QUICK, NEW, HANGING = 0, 1, 2
"""A webhook's standing: the last that was known of one of its requests was that it came quickly to its end; nothing is
known; it grew old."""
START = (-1, -1)
"""Before every row on disk."""
NEVER = 2**63
"""After every row on disk."""


class Lane:
    """One webhook's place in the outbox."""

    __slots__ = (
        "cursor",
        "failed_in_a_row",
        "failing_since",
        "held_until",
        "in_turn",
        "last_success",
        "marked",
        "missed",
        "number",
        "open",
        "ready",
        "recorded_hold",
        "refilling",
        "spilled",
        "standing",
        "took_ms",
        "waiting",
        "wake_at",
        "window",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.window = Window()
        self.standing = NEW
        """QUICK, NEW or HANGING."""
        self.ready: deque[Row] = deque()
        self.marked = 0
        """Rows handed out whose outcome is not recorded yet."""
        self.spilled = False
        """There may be due rows on disk, or on their way to it, that are not in memory."""
        self.waiting: dict[int, Row] = {}
        """Rows on their way to disk that are neither ready nor marked, by number."""
        self.cursor = START
        """(due, number) of the last row read from disk; what is new on disk comes after it, or a new round begins."""
        self.refilling = False
        self.missed = NEVER
        """The first due time of what came to be due on disk while rows were read, and may not be among them."""
        self.in_turn = False
        self.wake_at: int | None = None
        """When the next row on disk is due, as far as known."""
        self.held_until = self.recorded_hold = 0
        """A 429 or 503 asked us to leave the whole webhook alone until then; the same as far as it is recorded."""
        self.last_success: int | None = None
        self.failing_since: int | None = None
        """Its first failure after its last success, creation or enabling."""
        self.open = 0
        """Deliveries that have not ended, on disk or not."""
        self.took_ms = 0.0
        """How long attempts take by now: an eighth of the last one, and so on back. For people, as is the next one."""
        self.failed_in_a_row = 0

    def shift(self, by_ms: int) -> None:
        """The clock was set: what is counted from before is to end so much later, or sooner, by it."""
        if self.held_until:
            self.held_until = max(self.held_until + by_ms, 0)
        if self.recorded_hold:
            self.recorded_hold = max(self.recorded_hold + by_ms, 0)
        if self.failing_since is not None:
            self.failing_since += by_ms

    def left_on_disk(self, due: int) -> None:
        """A row that is due by now is on disk, or on its way there, and not in memory: the next round finds it."""
        self.spilled = True
        if due <= self.cursor[0]:
            self.cursor = START
        if self.refilling:
            self.missed = min(self.missed, due)
