"""A clock that only the test turns, with its alarms."""

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


class InventedClock:
    """Stands still until it is turned; rings what is due then, in order."""

    def __init__(self, now_ms: int = 1_795_000_000_000) -> None:
        self._now_ms = now_ms
        self._order = count()
        self._alarms: list[tuple[int, int, InventedAlarm]] = []

    def now_ms(self) -> int:
        return self._now_ms

    def at(self, at_ms: int, wake: Callable[[], None]) -> InventedAlarm:
        alarm = InventedAlarm(wake)
        heapq.heappush(self._alarms, (at_ms, next(self._order), alarm))
        return alarm

    def after(self, wait_ms: int, wake: Callable[[], None]) -> InventedAlarm:
        return self.at(self._now_ms + wait_ms, wake)

    def next_alarm(self) -> int | None:
        """When the next alarm rings."""
        while self._alarms and self._alarms[0][2].is_cancelled:
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def turn_to(self, at_ms: int) -> None:
        """Turn the clock forward, ringing every alarm on the way at its time."""
        while (due := self.next_alarm()) is not None and due <= at_ms:
            self._now_ms = max(self._now_ms, due)
            heapq.heappop(self._alarms)[2].wake()
        self._now_ms = max(self._now_ms, at_ms)
