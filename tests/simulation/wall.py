"""The wall clock of the service's machine: true time since a day in 2026, and the steps that somebody made it take."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

BEGINNING_MS = 1_795_000_000_000
ROUNDED_S = 0.002
"""What whole milliseconds may hide."""


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

    def later(self, shown_ms: int, took_ms: int) -> set[int]:
        """What it may have shown so long after it showed this: more than one, where it was set about then."""
        shown = set[int]()
        ends = [*self._since[1:], float("inf")]
        for since_s, until_s, offset in zip(self._since, ends, self._offsets, strict=True):
            began_s = (shown_ms - BEGINNING_MS - offset) / 1000
            if since_s - ROUNDED_S <= began_s <= until_s + ROUNDED_S:
                for ended_s in (began_s + took_ms / 1000 - ROUNDED_S, began_s + took_ms / 1000 + ROUNDED_S):
                    segment = max(bisect_right(self._since, ended_s) - 1, 0)
                    shown.add(shown_ms + took_ms + self._offsets[segment] - offset)
        return shown

    def step(self, ms: int) -> None:
        """Somebody sets it ahead, or back."""
        self._since.append(self._now_s())
        self._offsets.append(self._offsets[-1] + ms)

    def is_steady(self, since_s: float, until_s: float) -> bool:
        """Whether nobody set it in between."""
        return not any(since_s <= at <= until_s for at in self._since[1:])

    @property
    def farthest_s(self) -> float:
        """How far from true time it ever was, ahead or back."""
        return max(map(abs, self._offsets)) / 1000

    @property
    def is_true(self) -> bool:
        """Whether nobody ever set it."""
        return len(self._since) == 1
