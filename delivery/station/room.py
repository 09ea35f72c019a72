"""How many requests may be under way; those that are slow leave their place among the young."""

from __future__ import annotations

from core.clock import Clock
from core.limits import SLOW_MS
from delivery.rows import Row


class Room:
    """For so many young ones."""

    def __init__(self, clock: Clock, young_max: int) -> None:
        self._clock, self._young_max = clock, young_max
        self.young: dict[Row, int] = {}
        """Requests under way that are not slow, the oldest first, and when each began."""
        self.slow: dict[Row, None] = {}

    def begin(self, row: Row) -> None:
        self.young[row] = self._clock.monotonic_ms()

    def end(self, row: Row) -> None:
        if self.young.pop(row, None) is None:
            self.slow.pop(row, None)

    def wait_ms(self) -> int:
        """How long there is no room, if none of them ends before; 0: there is some."""
        if len(self.young) < self._young_max:
            return 0
        limit = self._clock.monotonic_ms() - SLOW_MS
        slow = []
        for row, began in self.young.items():
            if began > limit:
                break
            slow.append(row)
        for row in slow:
            del self.young[row]
            self.slow[row] = None
        return 0 if slow else next(iter(self.young.values())) - limit
