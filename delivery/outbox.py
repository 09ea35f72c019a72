"""The outbox: a row for every delivery that has not ended, with its next attempt and when that is due.

It is a view of the ledger. The first attempt, the fifth and a redelivery are one mechanism, a row with a time.
The backlog stays in rows on disk. A row that is handed out is marked in memory until its outcome is recorded; after
a restart nobody holds anything, which the lock on the data directory proves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from core.directory import Directory
from core.ledger.unit import Body, Recorded
from core.ledger.view_store import Writing
from core.limits import FAILING_MS_MAX
from core.model import clock, delivery, webhook
from core.model.event import Event
from core.model.portal_event import Received
from delivery import outbox_table
from delivery.dispatch import Dispatch
from delivery.outbox_table import Batch, Moved
from delivery.rows import Content, Lane, Row


class Outbox:
    """What is due, to whom, when; folds the ledger, and offers what is due to the dispatch."""

    name = outbox_table.NAME
    tables = outbox_table.TABLES

    def __init__(self, directory: Directory, dispatch: Dispatch) -> None:
        self._directory = directory
        self._dispatch = dispatch
        self.rows: dict[int, Row] = {}  # Ready, marked, or not yet on disk.
        self._last_content: tuple[bytes, Content] | None = None
        self._inserts: dict[int, Row] = {}
        self._moved: dict[int, Moved] = {}
        self._deleted: dict[int, None] = {}
        self._late: dict[int, int] = {}
        """Deliveries on disk whose stream went on by an attempt that moves nothing: their version."""
        self._dirty_lanes: dict[int, Lane] = {}
        self._reacted: dict[int, tuple[str, int] | None] = {}
        self._shift_ms = 0
        self._writing: Batch | None = None
        self._passed: dict[int, None] | None = None
        """While rows are read from disk: those that were written as ended or moved on since the reading began."""
        self.held: dict[int, int] = {}
        """Attempts by delivery that a leader before this one may be making; they are not handed out."""
        self.reactions: dict[int, tuple[str, int]] = {}
        """By webhook to be disabled: (reason, position of the cause)."""
        self.on_reaction: Callable[[], None] = lambda: None
        self.on_due: Callable[[Lane, int], None] = lambda _lane, _at_ms: None
        """Called with a lane and the time when one of its rows on disk is due."""
        self.on_shifted: Callable[[], None] = lambda: None
        """Called when rows on disk are due at other times than before, because the clock was set."""
        dispatch.on_set_aside = self._set_aside

    def take(self, events: Sequence[Recorded], bodies: Mapping[int, Body]) -> None:
        for position, stream, version, event in events:
            kind = type(event)
            if kind is delivery.Delivered:
                self._delivered(event)  # type: ignore[arg-type]
            elif kind is delivery.Created:
                self._created(position, stream, version, event)  # type: ignore[arg-type]
            elif kind is Received:
                body = bodies.get(position)
                if body is not None and body.payload is not None and event.deliveries:  # type: ignore[attr-defined]
                    self._last_content = (stream, Content(event, body.payload))  # type: ignore[arg-type]
            else:
                self._seldom(position, stream, version, event)
        self._dispatch.hand_out()

    def _seldom(self, position: int, stream: bytes, version: int, event: Event) -> None:
        match event:
            case delivery.AttemptFailed():
                self._attempt_failed(position, version, event)
            case delivery.Cancelled():
                self._dispatch.lane(event.webhook).open -= 1
                self._ended(event.number)
            case delivery.LateAttempt():
                self._was_late(event.number, version)
            case clock.Stepped():
                self._shift(event.by)
            case webhook.Enabled() | webhook.Disabled() | webhook.Deleted():
                self._webhook_changed(stream, event)

    def _created(self, number: int, stream: bytes, version: int, event: delivery.Created) -> None:
        row = Row(number, event.webhook, stream, event.event, version, 1, event.at)
        self._dispatch.lane(event.webhook).open += 1
        self.rows[number] = self._inserts[number] = row
        last = self._last_content
        if last is not None and last[0] == event.event:
            row.content = last[1]
        if self.is_held(row) or not self._dispatch.offer(row):
            self._wait(row)

    def _delivered(self, event: delivery.Delivered) -> None:
        number, attempt = event.number, event.attempt
        lane = self._dispatch.lane(event.webhook)
        lane.last_success = attempt.started + attempt.took
        lane.failing_since = None
        lane.open -= 1
        lane.took_ms += (attempt.took - lane.took_ms) / 8
        lane.failed_in_a_row = 0
        self._dirty_lanes[lane.number] = lane
        # As `_ended`, in a quarter of its calls: most deliveries end here.
        row = self.rows.pop(number, None)
        if row is not None:
            if row.is_marked:
                self._dispatch.ended(row, is_good=True)
            elif row.is_waiting:
                self._wait_no_more(row)
            else:
                self._dispatch.withdraw(row)
        if self._inserts.pop(number, None) is None:
            self._moved.pop(number, None)
            self._late.pop(number, None)
            self._deleted[number] = None

    def _attempt_failed(self, position: int, version: int, event: delivery.AttemptFailed) -> None:
        lane, attempt = self._dispatch.lane(event.webhook), event.attempt
        if self.held.get(event.number) == attempt.number:
            del self.held[event.number]
        self._dirty_lanes[lane.number] = lane
        if lane.failing_since is None:
            lane.failing_since = attempt.started
        lane.took_ms += (attempt.took - lane.took_ms) / 8
        lane.failed_in_a_row += 1
        if event.holds is not None:
            lane.recorded_hold = max(lane.recorded_hold, event.holds)
            lane.held_until = max(lane.held_until, event.holds)
        if attempt.status == 410:
            self._react(lane, "gone", position)
        elif event.next is None and event.at - lane.failing_since > FAILING_MS_MAX:
            self._react(lane, "failing", position)
        under_way = self.rows.get(event.number)
        if under_way is not None and under_way.is_marked:
            self._dispatch.ended(under_way, is_good=False, holds_until=event.holds)
        if event.next is None:
            lane.open -= 1
            self._ended(event.number)
            return
        row = self._inserts.get(event.number)
        if row is None:
            self.rows.pop(event.number, None)
            self._late.pop(event.number, None)
            self._moved[event.number] = Moved(
                event.number,
                version,
                attempt.number + 1,
                event.next,
                attempt.started,
                attempt.reason,
                event.webhook,
            )
        else:
            row.version, row.attempt, row.due = version, attempt.number + 1, event.next
            row.failed_at, row.failure = attempt.started, attempt.reason
            self._wait(row)
        if not self._dispatch.is_enabled(lane):
            self._dispatch.on_disabled(lane)

    def _was_late(self, number: int, version: int) -> None:
        """A late attempt moves nothing but the version that the next outcome counts on."""
        row, moved = self.rows.get(number), self._moved.get(number)
        if row is not None:
            row.version = version
        if moved is not None:
            self._moved[number] = moved._replace(version=version)
        elif number not in self._inserts and number not in self._deleted:
            self._late[number] = version

    def _wait(self, row: Row) -> None:
        row.is_waiting = True
        self._dispatch.lane(row.webhook).waiting[row.number] = row

    def _set_aside(self, row: Row) -> None:
        """The row goes back to where it came from: to disk, or to those that are on their way there."""
        if row.number in self._inserts or (self._writing is not None and row.number in self._writing.inserted):
            self._wait(row)
        else:
            self.rows.pop(row.number, None)

    def _wait_no_more(self, row: Row) -> None:
        if row.is_waiting:
            row.is_waiting = False
            del self._dispatch.lane(row.webhook).waiting[row.number]

    def offer_waiting(self, lane: Lane, now: int) -> bool:
        """Now that nothing on disk comes before them: make due rows ready that wait; whether that was all of them."""
        for row in tuple(lane.waiting.values()):
            if row.due <= now and not self.is_held(row):
                if row.content is None or not self._dispatch.allowance(lane):
                    return False
                self._wait_no_more(row)
                self._dispatch.accept(lane, row)
        return True

    def _shift(self, by_ms: int) -> None:
        """The clock was set: every wait keeps its length."""
        self._shift_ms += by_ms
        for row in {**self.rows, **self._inserts}.values():
            row.due += by_ms
        self._moved = {number: moved._replace(due=moved.due + by_ms) for number, moved in self._moved.items()}
        for lane in self._dispatch.lanes.values():
            lane.shift(by_ms)

    def _react(self, lane: Lane, reason: str, cause: int) -> None:
        self.reactions[lane.number] = self._reacted[lane.number] = (reason, cause)
        self.on_reaction()

    def _ended(self, number: int) -> None:
        row = self.rows.pop(number, None)
        if row is not None:
            if row.is_marked:
                self._dispatch.cancelled(row)
            self._dispatch.withdraw(row)
            self._wait_no_more(row)
        if self._inserts.pop(number, None) is None:
            self._moved.pop(number, None)
            self._late.pop(number, None)
            self._deleted[number] = None

    def _webhook_changed(self, stream: bytes, event: Event) -> None:
        lane = self._dispatch.lane(self._directory.webhooks[stream].number)
        self.reactions.pop(lane.number, None)
        self._reacted[lane.number] = None
        if isinstance(event, webhook.Enabled):
            lane.failing_since = None
            lane.held_until = lane.recorded_hold = 0
            self._dirty_lanes[lane.number] = lane
            self._dispatch.on_hunger(lane)
        else:
            self._dispatch.on_disabled(lane)

    def under_way(self, number: int) -> tuple[Received, int] | None:
        """The portal event of a delivery that is under way, and when this attempt was due."""
        row = self.rows.get(number)
        return None if row is None or row.content is None else (row.content.received, row.due)

    # What is in memory, and not, or not as it is, on disk.

    def is_held(self, row: Row) -> bool:
        """Whether somebody else may be making this attempt."""
        return bool(self.held) and self.held.get(row.number) == row.attempt

    def is_settled(self, number: int) -> bool:
        """Whether a row read from disk is to be passed over: it is in memory, or has ended or moved on since."""
        writing = self._writing
        return (
            number in self.rows
            or number in self._deleted
            or number in self._moved
            or (writing is not None and (number in writing.deleted or number in writing.moved))
            or (self._passed is not None and number in self._passed)
        )

    def reading_begins(self) -> None:
        """Rows are read from disk from here on; what is written meanwhile may not be among them."""
        self._passed = {}

    def reading_ends(self) -> None:
        self._passed = None

    def drain(self) -> Batch:
        inserts, self._inserts = self._inserts, {}
        values: list[object] = []
        for row in inserts.values():
            values += (row.number, row.webhook, row.delivery, row.event, row.version, row.attempt)
            values += (row.due, row.failed_at, row.failure)
        lanes = [
            (lane.number, lane.last_success, lane.failing_since, lane.recorded_hold)
            for lane in self._dirty_lanes.values()
        ]
        batch = Batch(inserts, values, self._moved, self._late, self._deleted, lanes, self._reacted, self._shift_ms)
        self._shift_ms = 0
        self._moved, self._late, self._deleted, self._dirty_lanes, self._reacted = {}, {}, {}, {}, {}
        self._writing = batch
        return batch

    def write(self, connection: Writing, batch: Batch) -> None:
        outbox_table.write(connection, batch)

    def written(self, batch: Batch) -> None:
        """Rows that wait are on disk now: forget them, but for when they are due."""
        self._writing = None
        if self._passed is not None:
            self._passed |= batch.deleted
            self._passed |= dict.fromkeys(batch.moved)
        for row in batch.inserted.values():
            if row.is_waiting:
                self._wait_no_more(row)
                self.rows.pop(row.number, None)
                self.on_due(self._dispatch.lane(row.webhook), row.due)
        for moved in batch.moved.values():
            self.on_due(self._dispatch.lane(moved.webhook), moved.due)
        if batch.shift_ms and not self._shift_ms:
            self.on_shifted()
