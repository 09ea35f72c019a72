"""The broker carries due deliveries to workers: its two ends, and the form within one process.

Over Kafka the one end is `delivery/handover.py`, the other `delivery/station/station.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from core.clock import Moment
from delivery.gate import Gate
from delivery.rows import Lane, Row


class Giving(Protocol):
    """Where due deliveries are given to."""

    def put(self, row: Row) -> None:
        """Take a row; never blocks: the outbox bounds what is under way."""
        ...


class Taking(Protocol):
    """Where workers take them, in the order given, each once."""

    def take_now(self) -> Row | None:
        """A row, if one is there."""
        ...

    async def take(self) -> Row:
        """Wait for a row."""
        ...


class Issuer(Protocol):
    """Who has handed out what workers take, and hears from them what came of it."""

    @property
    def lanes(self) -> Mapping[int, Lane]:
        """What is known of webhooks, by number."""
        ...

    @property
    def gate(self) -> Gate:
        """Shut while outcomes could not be recorded."""
        ...

    def finished(self, row: Row, at: Moment, *, is_good: bool, holds_until: int | None = None) -> None:
        """The request came to its end; its outcome is on its way into the ledger."""
        ...

    def returned(self, row: Row, *, holds_until: int = 0) -> None:
        """No request was made."""
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
