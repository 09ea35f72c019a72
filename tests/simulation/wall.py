"""The wall clock of the service's machine: true time since a day in 2026, and the steps that somebody made it take."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

BEGINNING_MS = 1_795_000_000_000


class Wall:
    """A clock, and what it showed when."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._since = [0.0]
        self._offsets = [0]

    def now_ms(self) -> int:
        return self.at(self._now_s())

    def monotonic_ms(self) -> int:
        return int(self._now_s() * 1000)

    def at(self, true_s: float) -> int:
        """What it showed at a true time."""
        return BEGINNING_MS + int(true_s * 1000) + self._offsets[bisect_right(self._since, true_s) - 1]

    def step(self, ms: int) -> None:
        """Somebody sets it ahead, or back."""
        self._since.append(self._now_s())
        self._offsets.append(self._offsets[-1] + ms)

    def is_steady(self, since_s: float, until_s: float) -> bool:
        """Whether nobody set it in between."""
        return not any(since_s <= at <= until_s for at in self._since[1:])

    @property
    def is_true(self) -> bool:
        """Whether nobody ever set it."""
        return len(self._since) == 1
