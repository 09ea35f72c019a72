"""What ends after one same delay: an ordered dict and a single timer, where a timer for each would cost more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Deadlines(Generic[Item]):
    """Calls `expired` for each item that is not dropped within `delay_s` after it was added, the oldest first.

    As all wait equally long, they expire in the order they were added, and the one timer is set for the oldest. It is
    not moved when that one is dropped: it then fires once for nothing and is set for who is the oldest by then.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, delay_s: float, expired: Callable[[Item], None]) -> None:
        self._loop = loop
        self._delay_s = delay_s
        self._expired = expired
        self._ends: dict[Item, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, item: Item) -> float:
        """Start waiting for an item that is not here yet; the loop's time at which it ends."""
        end = self._loop.time() + self._delay_s
        self._ends[item] = end
        if self._timer is None:
            self._timer = self._loop.call_at(end, self._fire)
        return end

    def drop(self, item: Item) -> None:
        """Wait no longer for this item, if we do."""
        self._ends.pop(item, None)

    def oldest(self) -> Item:
        """Who would end next."""
        return next(iter(self._ends))

    def stop(self) -> None:
        """Forget all of them."""
        self._ends.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._ends:
            item = self.oldest()
            end = self._ends[item]
            if end > now:
                self._timer = self._loop.call_at(end, self._fire)
                return
            del self._ends[item]
            self._expired(item)
