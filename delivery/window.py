"""How many deliveries of one webhook may be under way: starts small, grows while answers are quick and good.

As TCP does: each quick good answer adds one up to a threshold, then one per window; an answer that is bad, or a
request that grows old, sets the window to 1 and the threshold to half of what it was. A whole window that goes bad
together counts once.
"""

from __future__ import annotations

from core.limits import WINDOW_MAX, WINDOW_START

THRESHOLD_MIN = 2
"""A window grows fast at least up to this, whatever it shrank from."""


class Window:
    """One webhook's window, in requests."""

    __slots__ = ("_credit", "_threshold", "size", "under_way")

    def __init__(self) -> None:
        self.size = WINDOW_START
        self.under_way = 0
        self._threshold = WINDOW_MAX
        self._credit = 0

    @property
    def has_room(self) -> bool:
        return self.under_way < self.size

    def grow(self) -> None:
        """An answer came quickly, and it was good."""
        if self.size >= WINDOW_MAX:
            return
        if self.size < self._threshold:
            self.size += 1
            return
        self._credit += 1
        if self._credit >= self.size:
            self._credit = 0
            self.size += 1

    def shrink(self) -> None:
        """An answer was bad, or a request has grown old."""
        if self.size > 1:
            self._threshold = max(self.size // 2, THRESHOLD_MIN)
        self._credit = 0
        self.size = 1
