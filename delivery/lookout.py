"""Looks out over the lanes for people: how much there is to do, and which webhooks are slow, fail, or have most."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from heapq import nlargest

from core.carried import Carried, LaneTold
from core.clock import to_iso
from core.gauges import in_chunks
from core.ledger.fault import FAULTS
from core.office import Office
from delivery import outbox_table
from delivery.dispatch import Dispatch
from delivery.outbox_table import Due
from delivery.rows import HANGING, Lane

NOTHING = Due(0, 0)


class Lookout:
    """What is due is counted on disk: what came within the last quarter of a second is not there yet."""

    def __init__(self, office: Office, dispatch: Dispatch, readiness: Callable[[], Sequence[str]]) -> None:
        self._office, self._dispatch, self._readiness = office, dispatch, readiness

    async def look(self, count: int) -> Carried:
        """All there is, and *count* webhooks of each kind."""
        dispatch, now = self._dispatch, self._office.clock.now_ms()
        due = await self._due(now)
        totals: Counter[str] = Counter()
        lanes: Counter[str] = Counter()
        slowest: list[Lane] = []
        failing: list[Lane] = []
        fullest: list[Lane] = []
        async for chunk in in_chunks(dispatch.lanes.values()):
            for lane in chunk:
                totals.update(open=lane.open, windows=lane.window.size)
                lanes.update(_states(lane, now))
            enabled = [lane for lane in chunk if dispatch.is_enabled(lane)]
            slowest = nlargest(count, (*slowest, *(lane for lane in enabled if any(_slowness(lane)))), _slowness)
            failing = nlargest(count, (*failing, *(lane for lane in enabled if lane.failed_in_a_row)), _failures)
            fullest = nlargest(count, (*fullest, *(lane for lane in enabled if lane.open)), _fullness)
        tell = partial(self._told, due=due, now=now)
        return Carried(
            reasons=tuple(self._readiness()),
            open=totals["open"],
            due=sum(one.rows for one in due.values()),
            overdue_ms=max((now - one.first for one in due.values()), default=0),
            ready=dispatch.ready_rows,
            young=dispatch.young,
            old=dispatch.old,
            unrecorded=dispatch.unrecorded,
            windows=totals["windows"],
            lanes=dict(lanes),
            slowest=tuple(map(tell, slowest)),
            failing=tuple(map(tell, failing)),
            fullest=tuple(map(tell, fullest)),
        )

    async def _due(self, now: int) -> Mapping[int, Due]:
        """By webhook; nothing, where the views cannot be read just now: readiness says so."""
        loop, office = asyncio.get_running_loop(), self._office
        try:
            return await loop.run_in_executor(office.reading, outbox_table.due, office.views, now)
        except FAULTS:
            return {}

    def _told(self, lane: Lane, *, due: Mapping[int, Due], now: int) -> LaneTold:
        mine = due.get(lane.number, NOTHING)
        return LaneTold(
            webhook=lane.number,
            name=self._office.directory.by_number[lane.number].name,
            open=lane.open,
            due=mine.rows,
            overdue_ms=max(now - mine.first, 0) if mine.rows else 0,
            window=lane.window.size,
            under_way=lane.window.under_way,
            took_ms=round(lane.took_ms),
            hangs=lane.standing == HANGING,
            failed=lane.failed_in_a_row,
            failing_since=None if lane.failing_since is None else to_iso(lane.failing_since),
            held_until=to_iso(lane.held_until) if lane.held_until > now else None,
        )


def _states(lane: Lane, now: int) -> Iterable[str]:
    yield "all"
    if lane.standing == HANGING:
        yield "hanging"
    if lane.held_until > now:
        yield "held"
    if lane.failing_since is not None:
        yield "failing"
    if lane.spilled:
        yield "spilled"


def _slowness(lane: Lane) -> tuple[bool, float]:
    return lane.standing == HANGING, lane.took_ms


def _failures(lane: Lane) -> int:
    return lane.failed_in_a_row


def _fullness(lane: Lane) -> int:
    return lane.open
