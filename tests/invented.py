"""A clock that only the test turns, and sets, with its alarms."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class InventedAlarm:
    """An alarm on the invented clock."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


Alarms = list[tuple[int, int, InventedAlarm]]


class InventedClock:
    """Stands still until it is turned; rings what is due then, in order."""

    def __init__(self, now_ms: int = 1_795_000_000_000, monotonic_ms: int = 0) -> None:
        self._now_ms, self._monotonic_ms = now_ms, monotonic_ms
        self._order = count()
        self._at: Alarms = []
        self._after: Alarms = []

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_ms(self) -> int:
        return self._monotonic_ms

    def at(self, at_ms: int, wake: Callable[[], None]) -> InventedAlarm:
        return self._set(self._at, at_ms, wake)

    def after(self, wait_ms: int, wake: Callable[[], None]) -> InventedAlarm:
        return self._set(self._after, self._monotonic_ms + wait_ms, wake)

    def _set(self, alarms: Alarms, at_ms: int, wake: Callable[[], None]) -> InventedAlarm:
        alarm = InventedAlarm(wake)
        heapq.heappush(alarms, (at_ms, next(self._order), alarm))
        return alarm

    def _next(self) -> tuple[int, int, Alarms] | None:
        """What rings next, and when: those of the same time in the order in which they were set."""
        apart = self._now_ms - self._monotonic_ms
        found = []
        for alarms, more_ms in ((self._at, 0), (self._after, apart)):
            while alarms and alarms[0][2].is_cancelled:
                heapq.heappop(alarms)
            if alarms:
                found.append((alarms[0][0] + more_ms, alarms[0][1], alarms))
        return min(found, key=lambda one: one[:2]) if found else None

    def next_alarm(self) -> int | None:
        """When the next alarm rings."""
        found = self._next()
        return found[0] if found else None

    def turn_to(self, at_ms: int) -> None:
        """Turn the clock forward, ringing every alarm on the way at its time."""
        while (found := self._next()) is not None and found[0] <= at_ms:
            self._pass(found[0])
            heapq.heappop(found[2])[2].wake()
        self._pass(at_ms)

    def _pass(self, at_ms: int) -> None:
        passed_ms = max(at_ms - self._now_ms, 0)
        self._now_ms += passed_ms
        self._monotonic_ms += passed_ms

    def set(self, by_ms: int) -> None:
        """Set it ahead, or back: no time passes, and nothing rings."""
        self._now_ms += by_ms
