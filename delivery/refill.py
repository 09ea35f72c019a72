"""Bring due rows from disk to lanes that want some, and wake lanes when their next row is due."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from core.alarms import Alarm
from core.errors import LedgerError
from core.ledger.fault import FAULTS
from core.log import Log
from core.office import Office
from delivery import outbox_table
from delivery.dispatch import Dispatch
from delivery.outbox import Outbox
from delivery.outbox_table import Stock, Want
from delivery.rows import NEVER, START, Lane, Row

log = Log("outbox")

ROWS_MAX = 128
"""Rows read for one lane at a time."""
LANES_MAX = 64
"""Lanes refilled at a time."""
READING_ROWS_MAX = 256
"""Rows asked for in one reading, of all lanes, but for the last lane's share: they are in memory before their bytes
are counted."""
AGAIN_MS = 1_000
"""How long until rows that could not be read are read again."""
WAKES_MIN = 64
"""The heap of wakes is looked through when it holds more than these, and two for each lane."""


class Refill:
    """Reads for many lanes at once; one reading at a time."""

    def __init__(self, office: Office, outbox: Outbox, dispatch: Dispatch) -> None:
        self._outbox, self._dispatch = outbox, dispatch
        self._views, self._reader, self._executor = office.views, office.reader, office.reading
        self._writer = office.writer
        self._clock, self._alarms = office.clock, office.alarms
        self._hungry: dict[int, Lane] = {}
        self._starved: dict[int, Lane] = {}
        """Lanes that want rows, and there is no room for them in memory."""
        self._stuck: dict[int, str] = {}
        """Lanes whose rows, by themselves, cannot be read, and why: they are read alone, not to hold up others."""
        self._unreadable: str | None = None
        self.on_forgotten: Callable[[Row], None] = lambda _row: None
        """Called with a row that cannot be sent any more: its payload was forgotten."""
        self._task: asyncio.Task[None] | None = None
        self._is_paused = False
        self._wakes: list[tuple[int, int]] = []
        self._alarm: tuple[int, Alarm] | None = None
        dispatch.on_hunger = self.need
        dispatch.on_room = self._feed_starved
        outbox.on_due = self.due

    @property
    def fault(self) -> str | None:
        """Why due rows could not be read the last time; None when they could."""
        return self._unreadable or next(iter(self._stuck.values()), None)

    def need(self, lane: Lane) -> None:
        """The lane wants rows that are due by now; not before it may be delivered to again."""
        if lane.held_until > self._clock.now_ms():
            self.wake(lane, lane.held_until)
            return
        if lane.refilling:
            return
        lane.refilling = True
        self._hungry[lane.number] = lane
        self._start()

    def _start(self) -> None:
        if self._hungry and self._task is None and self._dispatch.is_open and not self._is_paused:
            self._task = asyncio.create_task(self._run())

    def pause(self) -> None:
        """The clock was set: which rows are due is not known until the outbox has been told, and `go_on` is called."""
        if not self._is_paused:
            self._is_paused = True
            self._dispatch.gate.shut()

    def go_on(self) -> None:
        """Rows on disk are due at other times than they were: look at all of them again."""
        was_paused, self._is_paused = self._is_paused, False
        self.look_at_all()
        if was_paused:
            self._dispatch.gate.open()

    def look_at_all(self) -> None:
        """Any row on disk may be to be handed out by now."""
        for lane in self._dispatch.lanes.values():
            lane.left_on_disk(START[0])
            self.need(lane)
        self._start()

    def due(self, lane: Lane, at_ms: int) -> None:
        """A row of the lane is on disk, and due at *at_ms*."""
        if at_ms <= self._clock.now_ms():
            lane.left_on_disk(at_ms)
            if not lane.ready:
                self.need(lane)
        else:
            self.wake(lane, at_ms)

    def wake(self, lane: Lane, at_ms: int) -> None:
        """Look at the lane's rows again at *at_ms*, if not sooner."""
        at_ms = max(at_ms, lane.held_until)
        if lane.wake_at is not None and lane.wake_at <= at_ms:
            return
        lane.wake_at = at_ms
        heapq.heappush(self._wakes, (at_ms, lane.number))
        if len(self._wakes) > 2 * len(self._dispatch.lanes) + WAKES_MIN:
            self._forget_overtaken()
        self._arm()

    def _forget_overtaken(self) -> None:
        """Each time a lane is woken earlier than it was to be, the later time stays behind in the heap."""
        lanes = self._dispatch.lanes.values()
        self._wakes = [(lane.wake_at, lane.number) for lane in lanes if lane.wake_at is not None]
        heapq.heapify(self._wakes)

    def _arm(self) -> None:
        if not self._wakes:
            return
        at_ms = self._wakes[0][0]
        if self._alarm is not None:
            if self._alarm[0] <= at_ms:
                return
            self._alarm[1].cancel()
        self._alarm = (at_ms, self._alarms.at(at_ms, self._rang))

    def _rang(self) -> None:
        self._alarm = None
        now = self._clock.now_ms()
        while self._wakes and self._wakes[0][0] <= now:
            at_ms, number = heapq.heappop(self._wakes)
            lane = self._dispatch.lane(number)
            if lane.wake_at == at_ms:
                lane.wake_at = None
                lane.left_on_disk(at_ms)
                self.need(lane)
        self._arm()

    async def _run(self) -> None:
        try:
            while self._hungry and self._dispatch.is_open:
                now = self._clock.now_ms()
                # Whoever asks for the time may notice that the clock was set.
                if self._is_paused:
                    break
                lanes, wants = self._wants()
                if not wants:
                    continue
                self._outbox.reading_begins()
                try:
                    await self._read(lanes, wants, now)
                except FAULTS as error:
                    self._unreadable = f"{type(error).__name__}: {error}"
                    log.say("outbox.unreadable", error=error)
                    self._writer.health.doubt()
                    self._put_off(lanes, now)
                except Exception as error:  # noqa: BLE001 - whatever it is, no webhook may be left waiting for it
                    if isinstance(error, LedgerError):
                        self._writer.health.doubt()
                    self._found_stuck(lanes, error)
                    self._put_off(lanes, now)
                self._dispatch.hand_out()
        finally:
            self._outbox.reading_ends()
            self._task = None

    async def _read(self, lanes: list[Lane], wants: list[Want], now: int) -> None:
        found = await asyncio.get_running_loop().run_in_executor(
            self._executor, outbox_table.stock, self._views, self._reader, wants, now
        )
        self._unreadable = None
        for lane in lanes:
            self._stock(lane, found[lane.number], now)
            self._stuck.pop(lane.number, None)

    def _found_stuck(self, lanes: list[Lane], error: Exception) -> None:
        for lane in lanes:
            if lane.refilling:
                if lane.number not in self._stuck:
                    log.say("outbox.stuck", error, webhook=lane.number)
                self._stuck[lane.number] = f"{type(error).__name__}: {error}"

    def _put_off(self, lanes: list[Lane], now: int) -> None:
        """Read again, a moment later, for those whose rows were not made ready."""
        for lane in lanes:
            if lane.refilling:
                lane.refilling = False
                self.wake(lane, now + AGAIN_MS)

    def _wants(self) -> tuple[list[Lane], list[Want]]:
        """The next lanes to read for, and how many rows of each there is room for."""
        lanes: list[Lane] = []
        wants: list[Want] = []
        rows = 0
        for lane in list(self._hungry.values())[:LANES_MAX]:
            if rows >= READING_ROWS_MAX or (lanes and (lane.number in self._stuck or lanes[0].number in self._stuck)):
                break
            del self._hungry[lane.number]
            limit = min(ROWS_MAX, self._dispatch.allowance(lane))
            if limit:
                rows += limit
                lane.missed = NEVER
                lanes.append(lane)
                wants.append(Want(lane.number, limit, lane.cursor))
            else:
                lane.refilling = False
                if not lane.ready:
                    self._starved[lane.number] = lane
        return lanes, wants

    def _feed_starved(self) -> None:
        starved, self._starved = self._starved, {}
        for lane in starved.values():
            self.need(lane)

    def _stock(self, lane: Lane, stock: Stock, now: int) -> None:
        """Make ready what is not in memory, and has not ended or moved on since the reading."""
        lane.refilling = False
        for row in stock.rows:
            if self._outbox.is_settled(row.number) or self._outbox.is_held(row):
                continue
            if row.content is None:
                self.on_forgotten(row)
                continue
            self._outbox.rows[row.number] = row
            self._dispatch.accept(lane, row)
        lane.cursor = (stock.rows[-1].due, stock.rows[-1].number) if stock.has_more else START
        if lane.missed <= lane.cursor[0]:
            lane.cursor = START
        is_behind = stock.has_more or lane.missed < NEVER
        lane.spilled = is_behind or not self._outbox.offer_waiting(lane, now)
        if is_behind and not lane.ready:
            self.need(lane)
        if stock.wake_at is not None:
            self.wake(lane, stock.wake_at)

    def resume(self) -> None:
        """Rows may be handed out from here on: look what there is, and set the alarms for what comes."""
        for lane in self._dispatch.lanes.values():
            at_ms, lane.wake_at = lane.wake_at, None
            if at_ms is not None:
                self.wake(lane, at_ms)
            if lane.spilled:
                self.need(lane)
        self._start()

    async def settled(self) -> None:
        """Wait until no reading is under way."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        if self._alarm is not None:
            self._alarm[1].cancel()
        if self._task is not None:
            await self._task
