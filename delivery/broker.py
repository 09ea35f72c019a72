"""The broker carries due deliveries to workers: the port, and the form within one process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from delivery.rows import Row


class Broker(Protocol):
    """Carries rows, in the order given, each to one worker."""

    def put(self, row: Row) -> None:
        """Take a row; never blocks: the outbox bounds what is under way."""
        ...

    def take_now(self) -> Row | None:
        """A row, if one is there."""
        ...

    async def take(self) -> Row:
        """Wait for a row."""
        ...


class InProcessBroker:
    """A queue in memory. What is in it is marked in the outbox, so nothing is lost with it."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque()
        self._takers: deque[asyncio.Future[Row]] = deque()
        self.on_work: Callable[[], None] = lambda: None
        """Called when a row finds nobody waiting for it."""

    def put(self, row: Row) -> None:
        while self._takers:
            # The taker that came last is the one whose memory is still warm.
            taker = self._takers.pop()
            if not taker.done():
                taker.set_result(row)
                return
        self._rows.append(row)
        self.on_work()

    def take_now(self) -> Row | None:
        return self._rows.popleft() if self._rows else None

    async def take(self) -> Row:
        if self._rows:
            return self._rows.popleft()
        taker: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        return await taker
