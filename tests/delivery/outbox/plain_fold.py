"""The ledger read in plain loops: what the outbox's rows must be, and what must hold of every delivery's story."""

from __future__ import annotations

from collections.abc import Iterable

from core.ledger.unit import Recorded
from core.limits import FAILING_MS_MAX
from core.model import clock, delivery, webhook


class PlainFold:
    """The outbox's three tables after these recorded events, as dicts by primary key."""

    def __init__(self, events: Iterable[Recorded]) -> None:
        self.rows: dict[int, tuple] = {}
        self.lanes: dict[int, tuple] = {}
        self.reactions: dict[int, tuple] = {}
        self._numbers: dict[bytes, int] = {}
        for recorded in events:
            self._take(*recorded)

    def _take(self, position: int, stream: bytes, version: int, event: object) -> None:
        match event:
            case webhook.Created():
                self._numbers[stream] = position
            case webhook.Enabled() | webhook.Disabled() | webhook.Deleted():
                number = self._numbers[stream]
                self.reactions.pop(number, None)
                if isinstance(event, webhook.Enabled):
                    last_success, _, _ = self.lanes.get(number, (None, None, 0))
                    self.lanes[number] = (last_success, None, 0)
            case clock.Stepped():
                self._shift(event.by)
            case delivery.Created():
                self.rows[position] = (event.webhook, stream, event.event, version, 1, event.at, None, None)
            case delivery.Delivered():
                _, _, held = self.lanes.get(event.webhook, (None, None, 0))
                self.lanes[event.webhook] = (event.attempt.started + event.attempt.took, None, held)
                del self.rows[event.number]
            case delivery.Cancelled():
                del self.rows[event.number]
            case delivery.AttemptFailed():
                self._failed(position, stream, version, event)
            case delivery.LateAttempt():
                if event.number in self.rows:
                    row = self.rows[event.number]
                    self.rows[event.number] = (*row[:3], version, *row[4:])

    def _shift(self, by: int) -> None:
        self.rows = {number: (*row[:5], row[5] + by, *row[6:]) for number, row in self.rows.items()}
        self.lanes = {
            number: (last_success, None if since is None else since + by, max(held + by, 0) if held else 0)
            for number, (last_success, since, held) in self.lanes.items()
        }

    def _failed(self, position: int, stream: bytes, version: int, event: delivery.AttemptFailed) -> None:
        attempt = event.attempt
        last_success, since, held = self.lanes.get(event.webhook, (None, None, 0))
        since = attempt.started if since is None else since
        self.lanes[event.webhook] = (last_success, since, max(held, event.holds or 0))
        if attempt.status == 410:
            self.reactions[event.webhook] = ("gone", position)
        elif event.next is None and event.at - since > FAILING_MS_MAX:
            self.reactions[event.webhook] = ("failing", position)
        row = self.rows.pop(event.number)
        if event.next is not None:
            self.rows[event.number] = (
                *row[:3], version, attempt.number + 1, event.next, attempt.started, attempt.reason
            )  # fmt: skip


class Story:
    """One delivery's recorded events in order."""

    def __init__(self, number: int, created: delivery.Created) -> None:
        self.number = number
        self.webhook = created.webhook
        self.due = created.at
        """When the next attempt is due."""
        self.attempts = 0
        """How many were recorded, late ones aside."""
        self.end: object = None
        self.late = 0
        self.has_other_times = False
        """The clock was set meanwhile."""

    def take(self, event: object) -> None:
        """Go on; AssertionError when that cannot follow."""
        if isinstance(event, delivery.LateAttempt):
            assert isinstance(self.end, delivery.Cancelled), f"{self.number}: late, and not cancelled: {event}"
            self.late += 1
            return
        assert self.end is None, f"{self.number}: {event} after {self.end}"
        if isinstance(event, delivery.Cancelled):
            self.end = event
            return
        assert isinstance(event, delivery.Delivered | delivery.AttemptFailed), event
        assert event.attempt.number == self.attempts + 1, f"{self.number}: {event} after attempt {self.attempts}"
        if not self.has_other_times:
            assert event.attempt.started >= self.due, (
                f"{self.number}: attempted before it was due at {self.due}: {event}"
            )
        assert event.webhook == self.webhook
        self.attempts += 1
        if isinstance(event, delivery.Delivered) or event.next is None:
            self.end = event
        else:
            self.due = event.next


def stories(events: Iterable[Recorded]) -> dict[int, Story]:
    """Every delivery's story, checked as it is read."""
    told: dict[int, Story] = {}
    for position, _, version, event in events:
        if isinstance(event, delivery.Created):
            assert version == 1
            told[position] = Story(position, event)
        elif isinstance(event, delivery.Outcome):
            told[event.number].take(event)
        elif isinstance(event, clock.Stepped):
            for story in told.values():
                story.has_other_times = True
    return told
