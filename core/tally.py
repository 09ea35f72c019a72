"""What was recorded since this process began, counted as it comes out of the ledger.

It follows the writer's segments: what it says happened is in the ledger, and each recorded event is counted once. Only
what leaves nothing in the ledger, duplicates, rejected events and those matched again, is counted where it is answered.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, get_args

from core.histogram import LATENCY_BOUNDS, PATIENCE_BOUNDS, Histogram
from core.ledger.tail import Segment
from core.ledger.unit import Recorded
from core.model import delivery, webhook
from core.model.portal_event import Received
from core.wire.failure import ANSWERS, answer_class

WAYS = ("http", "kafka", "operator")
CAUSES = ("event", "redelivery", "replay")


class Tally:
    """Plain numbers, read when somebody asks."""

    def __init__(self) -> None:
        # What can be named beforehand begins at 0: monitoring sees the first one, too, as a change.
        self.accepted = defaultdict(int, dict.fromkeys(WAYS, 0))
        """By the way they came."""
        self.duplicates = Counter(dict.fromkeys(WAYS, 0))
        self.rejected: Counter[tuple[str, str]] = Counter()
        """By way and reason."""
        self.unmatched = self.unknown = self.matched_again = 0
        self.created = Counter(dict.fromkeys(CAUSES, 0))
        """By what caused them."""
        self.delivered = self.failed = self.cancelled = self.retries = 0
        self.refused = Counter(dict.fromkeys(ANSWERS, 0))
        """Failed attempts by what came back."""
        self.late: Counter[str] = Counter()
        self.attempt_ms = Histogram(LATENCY_BOUNDS)
        self.delivery_ms = Histogram(PATIENCE_BOUNDS)
        self.disabled = Counter(dict.fromkeys(get_args(webhook.DisableReason), 0))
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """Answered over HTTP, by route, method and status."""
        self.request_ms: dict[str, Histogram] = {}

    def follow(self, segment: Segment) -> Sequence[Recorded]:
        """Count what one commit added; what of it is neither event, delivery nor success. All deliveries pass here:
        lines for speed."""
        created = 0
        took_ms: list[int] = []
        lasted_ms: list[int] = []
        others: list[Recorded] = []
        from_bytes = int.from_bytes
        for recorded in segment.events:
            _, stream, _, told = recorded
            event: Any = told
            kind = type(event)
            if kind is delivery.Delivered:
                took_ms.append(event.attempt.took)
                # A delivery's id begins with when it was made (milliseconds).
                lasted_ms.append(event.at - from_bytes(stream[:6], "big"))
            elif kind is delivery.Created and event.cause is None:
                created += 1
            elif kind is Received:
                self.accepted[event.source[0]] += 1
                if not event.deliveries:
                    self.unmatched += 1
                    self.unknown += event.trigger is None
            else:
                self._seldom(event)
                others.append(recorded)
        self.created["event"] += created
        self.delivered += len(took_ms)
        self.attempt_ms.add_all(took_ms)
        self.delivery_ms.add_all(lasted_ms)
        return others

    def _seldom(self, event: Any) -> None:
        match event:
            case delivery.AttemptFailed():
                self.attempt_ms.add(event.attempt.took)
                self.refused[answer_class(event.attempt.status, event.attempt.reason)] += 1
                if event.next is None:
                    self.failed += 1
                else:
                    self.retries += 1
            case delivery.LateAttempt():
                self.attempt_ms.add(event.attempt.took)
                self.late[answer_class(event.attempt.status, event.attempt.reason)] += 1
            case delivery.Cancelled():
                self.cancelled += 1
            case delivery.Created():
                self.created[type(event.cause).__name__.lower()] += 1
            case webhook.Disabled():
                self.disabled[event.reason] += 1
