"""Hand out what is ready: webhooks in turn, each within its window, all within two limits.

Young requests count against the first limit. One that grows old shrinks its webhook's window at once and moves to the
second, so hanging receivers cannot fill the first. The requests of a webhook that hangs, or of which nothing is known
yet, count in the second limit from the start (`delivery/places.py`). Who was known to be quick, and hangs, can pass the
second limit; both limits together nobody passes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from core.alarms import Alarm, Alarms
from core.clock import Clock, Moment, moment
from core.directory import Directory
from core.limits import READY_BYTES_MAX, READY_ROWS_MAX, SLOW_MS, UNRECORDED_MAX, YOUNG_REQUESTS_MAX
from delivery.broker import Giving
from delivery.gate import Gate
from delivery.places import Places
from delivery.rows import Lane, Row

READY_PER_WINDOW = 16
"""Due rows of one webhook kept in memory, for each request of its window: so a webhook that hangs keeps few."""


class Dispatch:
    """The lanes of all webhooks, and what of them is under way."""

    def __init__(
        self,
        directory: Directory,
        broker: Giving,
        clock: Clock,
        alarms: Alarms,
        *,
        old_max: int,
        young_max: int = YOUNG_REQUESTS_MAX,
        ready_bytes_max: int = READY_BYTES_MAX,
        is_remote: bool = False,
    ) -> None:
        """*is_remote*: workers are elsewhere; what came of a request is only known once it is recorded."""
        self._directory, self._broker, self._is_remote = directory, broker, is_remote
        self._clock, self._alarms = clock, alarms
        self._young_max, self._ready_bytes_max = young_max, ready_bytes_max
        self.lanes: dict[int, Lane] = {}
        self._turn: deque[Lane] = deque()
        self._young: dict[int, Row] = {}
        self._places = Places(old_max, young_max)
        self.unrecorded = 0
        """Outcomes that wait for their commit."""
        self.gate = Gate(self.hand_out)
        self.is_open = False
        """Whether rows may be handed out: not before the ledger was followed to its head, not when stopping."""
        self.ready_rows = self.ready_bytes = 0
        self._is_full = False
        self._slow_alarm: Alarm | None = None
        self._settled: asyncio.Future[None] | None = None
        self.on_hunger: Callable[[Lane], None] = _nothing
        """Called when a lane wants rows from disk."""
        self.on_room: Callable[[], None] = lambda: None
        """Called when memory for ready rows was full, and no longer is."""
        self.on_disabled: Callable[[Lane], None] = _nothing
        """Called when a lane's webhook may not be delivered to."""
        self.on_set_aside: Callable[[Row], None] = _nothing
        """Called with a row that was ready or marked, and now waits on disk again."""

    @property
    def young(self) -> int:
        return len(self._young)

    @property
    def old(self) -> int:
        return self._places.old

    def lane(self, number: int) -> Lane:
        lane = self.lanes.get(number)
        if lane is None:
            lane = self.lanes[number] = Lane(number)
        return lane

    def is_enabled(self, lane: Lane) -> bool:
        known = self._directory.by_number.get(lane.number)
        return known is not None and known.enabled

    # Ready rows.

    def offer(self, row: Row) -> bool:
        """Make a due row ready, if there is room in memory and none of its webhook waits on disk before it."""
        lane = self.lane(row.webhook)
        if row.content is None or lane.spilled or not self.is_open or not self.allowance(lane):
            lane.spilled = True
            return False
        self.accept(lane, row)
        return True

    def accept(self, lane: Lane, row: Row) -> None:
        """Make a row ready that has its content."""
        row.is_ready = True
        lane.ready.append(row)
        self.ready_rows += 1
        self.ready_bytes += row.size
        if not lane.in_turn:
            lane.in_turn = True
            self._turn.append(lane)

    def withdraw(self, row: Row) -> None:
        """The row is not to be handed out after all."""
        if row.is_ready:
            self.lanes[row.webhook].ready.remove(row)
            self._no_longer_ready(row)

    def _no_longer_ready(self, row: Row) -> None:
        row.is_ready = False
        self.ready_rows -= 1
        self.ready_bytes -= row.size
        if self._is_full and self.ready_rows < READY_ROWS_MAX // 4 and self.ready_bytes < self._ready_bytes_max // 4:
            self._is_full = False
            self.on_room()

    def allowance(self, lane: Lane) -> int:
        """How many more rows of a lane may be made ready. The second half of the memory is for lanes that move; one
        row, that may go out at once, there is always room for."""
        share = 2 if lane.window.size == 1 else 1
        if self.ready_rows >= READY_ROWS_MAX // share or self.ready_bytes >= self._ready_bytes_max // share:
            self._is_full = True
            return 1 if not lane.ready and lane.window.has_room else 0
        return max(READY_PER_WINDOW * lane.window.size - len(lane.ready), 0)

    def _shrink(self, lane: Lane) -> None:
        """The lane hangs or fails: most of its rows in memory go back to disk."""
        lane.window.shrink()
        while len(lane.ready) > READY_PER_WINDOW:
            self._put_back(lane, lane.ready.pop())

    def _put_back(self, lane: Lane, row: Row) -> None:
        self._no_longer_ready(row)
        self.on_set_aside(row)
        lane.left_on_disk(row.due)

    # Under way.

    def hand_out(self, at: Moment | None = None) -> None:
        """Give the broker as much as the limits and windows allow. Who has just read the clock says so."""
        turn, young, places = self._turn, self._young, self._places
        # Before the gate is looked at: a clock that was set shuts it.
        now, handed_out_at = at or moment(self._clock)
        young_max = 0 if self.gate.reasons else self._young_max
        if places.old > places.places_max:
            young_max -= places.old - places.places_max
        while (
            (turn or (places.n_waiting and places.let_in(turn)))
            and len(young) < young_max
            and self.unrecorded < UNRECORDED_MAX
            and self.is_open
        ):
            lane = turn.popleft()
            window = lane.window
            lane.in_turn = False
            if not lane.ready or window.under_way >= window.size:
                continue
            if lane.standing and not places.room(lane.standing):
                places.wait(lane)
                continue
            if lane.held_until > now or not self.is_enabled(lane):
                self._set_aside(lane)
                continue
            row = lane.ready.popleft()
            self._no_longer_ready(row)
            row.is_marked = True
            row.handed_out_at = handed_out_at
            lane.marked += 1
            window.under_way += 1
            young[row.number] = row
            if lane.standing:
                places.suspect(row)
            if lane.ready:
                lane.in_turn = True
                turn.append(lane)
            if lane.spilled and len(lane.ready) <= window.size:
                self.on_hunger(lane)
            self._broker.put(row)
        if self._slow_alarm is None and young:
            self._watch()

    def _set_aside(self, lane: Lane) -> None:
        """The lane is held back, or its webhook is disabled: its rows wait on disk."""
        while lane.ready:
            self._put_back(lane, lane.ready.pop())
        if self.is_enabled(lane):
            self.on_hunger(lane)
        else:
            self.on_disabled(lane)

    def finished(self, row: Row, at: Moment, *, is_good: bool, holds_until: int | None = None) -> None:
        """The request came to its end just now; its outcome is on its way into the ledger. What the receiver asked for
        holds from now on, not only once that is recorded."""
        lane = self.lanes[row.webhook]
        if holds_until is not None:
            lane.held_until = max(lane.held_until, holds_until)
        if row.is_marked:
            row.is_answered = True
            self.unrecorded += 1
        if lane.standing and not row.is_old:
            self._places.acquit(lane, self._turn)
        if is_good and not row.is_old:
            lane.window.grow()
        elif not is_good:
            self._shrink(lane)
        self._count_out(row, lane)
        self.hand_out(at)

    def returned(self, row: Row, *, holds_until: int = 0) -> None:
        """No request was made: the worker found the webhook disabled, or held back, or could not prepare for it."""
        lane = self.lanes[row.webhook]
        lane.held_until = max(lane.held_until, holds_until)
        if row.is_marked:
            self._unmark(row, lane)
            self.on_set_aside(row)
            lane.left_on_disk(row.due)
        self._count_out(row, lane)
        if not self.is_enabled(lane):
            self.on_disabled(lane)
        self.hand_out()

    async def settled(self) -> None:
        """Wait until no request is under way."""
        while self._young or self._places.old:
            if self._settled is None:
                self._settled = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._settled)

    def recorded(self, row: Row) -> None:
        """The row's outcome is in the ledger: nobody holds it any more. If it was cancelled with its request under
        way, that still takes its place until it ends."""
        self._unmark(row, self.lanes[row.webhook])
        if row.is_answered:
            row.is_answered = False
            self.unrecorded -= 1

    def ended(self, row: Row, *, is_good: bool, holds_until: int | None = None) -> None:
        """As `recorded`, of a request that came to its end; where nobody here has heard of that end, it is now."""
        if self._is_remote:
            self.finished(row, moment(self._clock), is_good=is_good, holds_until=holds_until)
        self.recorded(row)

    def cancelled(self, row: Row) -> None:
        """As `recorded`, of a delivery that was cancelled; a worker elsewhere does not say whether it has begun it."""
        self.recorded(row)
        if self._is_remote:
            self._count_out(row, self.lanes[row.webhook])

    def _unmark(self, row: Row, lane: Lane) -> None:
        row.is_marked = False
        lane.marked -= 1
        if row.mark is not None:
            row.mark.leave()
            row.mark = None

    def _count_out(self, row: Row, lane: Lane) -> None:
        lane.window.under_way -= 1
        if not row.is_old:
            self._young.pop(row.number, None)
        if row.is_old or row.is_suspect:
            self._places.leave(row)
        if self._places.n_waiting:
            self._places.let_in(self._turn)
        if self._settled is not None and not self._young and not self._places.old:
            self._settled.set_result(None)
            self._settled = None
        if lane.ready and not lane.in_turn:
            lane.in_turn = True
            self._turn.append(lane)
        elif lane.spilled and not lane.ready:
            self.on_hunger(lane)

    def _watch(self) -> None:
        oldest = next(iter(self._young.values()))
        age_ms = self._clock.monotonic_ms() - oldest.handed_out_at
        self._slow_alarm = self._alarms.after(max(SLOW_MS - age_ms, 0), self._grow_old)

    def _grow_old(self) -> None:
        """Move requests that are slow by now from the young to the old."""
        self._slow_alarm = None
        limit = self._clock.monotonic_ms() - SLOW_MS
        for row in list(self._young.values()):
            if row.handed_out_at > limit:
                break
            del self._young[row.number]
            lane = self.lanes[row.webhook]
            self._places.grow_old(row, lane)
            self._shrink(lane)
        self.hand_out()
        if self._slow_alarm is None and self._young:
            self._watch()


def _nothing(_: object) -> None: ...
