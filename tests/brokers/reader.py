"""A member of a group that notes all it sees, and waits for what a test waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from delivery.kafka.consumer import Consumer
from delivery.kafka.records import Partition, Record
from delivery.kafka.settings import read
from tests.brokers.broker import Broker

DEADLINE_S = 40.0


class Reader:
    """A consumer, what it owns, and what of it was let go."""

    def __init__(
        self, broker: Broker, topic: str, group: str, environment: Mapping[str, str] | None = None, **limits: int
    ) -> None:
        self.owned: set[Partition] = set()
        self.let_go: list[frozenset[Partition]] = []
        self.letting_go: Callable[[frozenset[Partition]], object] | None = None
        """A coroutine function that a test may have it wait for before it lets go."""
        self._changed = asyncio.Event()
        settings = read(broker.address, environment or {})
        self.consumer = Consumer(settings, group, [topic], assigned=self._assigned, released=self._released, **limits)

    async def owns(self, count: int) -> None:
        """Wait until it has so many partitions."""
        await until(self._changed, lambda: len(self.owned) == count)

    async def take(self, count: int, *, commit: bool = True) -> list[Record]:
        """The next records, at least so many; they are committed."""
        taken: list[Record] = []
        async with asyncio.timeout(DEADLINE_S):
            while len(taken) < count:
                batch = await self.consumer.take()
                assert batch
                taken += batch
                if commit:
                    await self.consumer.commit(behind(batch))
        return taken

    def _assigned(self, partitions: frozenset[Partition]) -> None:
        self.owned |= partitions
        self._changed.set()

    async def _released(self, partitions: frozenset[Partition]) -> None:
        if self.letting_go is not None:
            await self.letting_go(partitions)
        self.let_go.append(partitions)
        self.owned -= partitions
        self._changed.set()


def behind(records: list[Record]) -> dict[Partition, int]:
    """The offsets behind these."""
    return {record.place: record.offset + 1 for record in records}


async def until(changed: asyncio.Event, holds: Callable[[], bool]) -> None:
    """Wait for what changes until it holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            changed.clear()
            await changed.wait()
