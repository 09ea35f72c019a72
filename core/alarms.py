"""Wake me at a time: the one way in which hookledger waits, so that tests can turn the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from core.clock import Clock
from core.histogram import LATENCY_BOUNDS, Histogram

SLEEP_MS_MAX = 60_000
"""The wall clock may jump while a long alarm sleeps: look again at least this often."""


class Alarm(Protocol):
    """An alarm that was set."""

    def cancel(self) -> None: ...


class Alarms(Protocol):
    """Sets alarms on some clock."""

    def at(self, at_ms: int, wake: Callable[[], None]) -> Alarm:
        """Call *wake* on the loop at *at_ms* or soon after; at once if that is past."""
        ...

    def after(self, wait_ms: int, wake: Callable[[], None]) -> Alarm:
        """Call *wake* on the loop so long from now, whatever becomes of the wall clock meanwhile."""
        ...


async def pause(alarms: Alarms, wait_ms: int) -> None:
    """Return so long from now."""
    is_over = asyncio.Event()
    alarm = alarms.after(wait_ms, is_over.set)
    try:
        await is_over.wait()
    finally:
        alarm.cancel()


class _LoopAlarm:
    def __init__(self, clock: Clock, at_ms: int, wake: Callable[[], None], late: Histogram) -> None:
        self._clock, self._at_ms, self._wake, self._late = clock, at_ms, wake, late
        self._loop = asyncio.get_running_loop()
        self._handle = self._sleep()

    def _sleep(self) -> asyncio.Handle:
        wait_ms = min(max(self._at_ms - self._clock.now_ms(), 0), SLEEP_MS_MAX)
        self._rings_at = self._loop.time() + wait_ms / 1000
        return self._loop.call_later(wait_ms / 1000, self._look)

    def _look(self) -> None:
        # uvloop has no `when` on what is called at once, so the time is kept here.
        self._late.add((self._loop.time() - self._rings_at) * 1000)
        if self._clock.now_ms() >= self._at_ms:
            self._wake()
        else:
            self._handle = self._sleep()

    def cancel(self) -> None:
        self._handle.cancel()


class LoopAlarms:
    """Alarms of the running event loop, on the clock given."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.late_ms = Histogram(LATENCY_BOUNDS)
        """How much later than they should alarms rang: how long the loop was busy with other things."""

    def at(self, at_ms: int, wake: Callable[[], None]) -> Alarm:
        return _LoopAlarm(self._clock, at_ms, wake, self.late_ms)

    def after(self, wait_ms: int, wake: Callable[[], None]) -> Alarm:
        return asyncio.get_running_loop().call_later(wait_ms / 1000, wake)
