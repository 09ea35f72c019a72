"""How often a measured value fell between which bounds: two integer additions and a search for each value."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

LATENCY_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000)
"""Bounds for what takes milliseconds and may take seconds."""
PATIENCE_BOUNDS = (*LATENCY_BOUNDS, 60_000, 300_000, 1_800_000, 7_200_000, 36_000_000, 86_400_000)
"""The same, for what may take as long as all retries do."""
SIZE_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
"""Bounds for how many there were at once."""


class Histogram:
    """Counts of values up to each of `bounds`, in their unit; the last count is of what was above all of them."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[int]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total: float = 0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add_all(self, values: list[int]) -> None:
        """As `add` of each; they are sorted by it. One search for each bound, not for each value."""
        values.sort()
        below = 0
        for index, bound in enumerate(self.bounds):
            upto = bisect_right(values, bound, below)
            self.counts[index] += upto - below
            below = upto
            if below == len(values):
                break
        self.counts[-1] += len(values) - below
        self.total += sum(values)


def quantile(bounds: Sequence[int], counts: Sequence[int], share: float) -> float | None:
    """Up to which value that share of all values was, as far as the bounds tell; None when there were none.

    Between two bounds values are taken as spread evenly; above the last one it says that bound.
    """
    wanted = share * sum(counts)
    if not wanted:
        return None
    below, seen = 0.0, 0
    for bound, count in zip(bounds, counts, strict=False):
        if count and seen + count >= wanted:
            return below + (bound - below) * (wanted - seen) / count
        below, seen = float(bound), seen + count
    return float(bounds[-1])
