"""The whole way in one process: intake in batches, matched, recorded, posted, its outcome recorded and followed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from types import TracebackType

from core.incoming import events_of
from core.ledger.store import Database
from core.ledger.tail import Segment
from core.limits import COMMIT_UNITS_MAX
from core.model.delivery import Delivered
from delivery.bench.bare import Pace
from delivery.bench.stage import TENANT, Receiver
from delivery.service import Service

UNDER_WAY = 2_000
"""Accepted events whose outcome is not recorded yet; the next batch waits until there are fewer."""
FEEDERS = 4
"""Batches that wait for their commit at a time."""
LIMIT_S = 300
SOURCE = ("http", "bench")


class Pipeline:
    """The service as `serve` starts it, without its web server, and a count of what it delivered."""

    def __init__(
        self,
        data: Path,
        *,
        commit_units_max: int = COMMIT_UNITS_MAX,
        database: Database | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.service = Service(
            data,
            environment=environment or {},
            allow=[ip_network("127.0.0.0/8")],
            commit_units_max=commit_units_max,
            database=database,
        )
        self.delivered = 0
        self._goal: tuple[int, asyncio.Future[None]] | None = None
        self.service.office.writer.follow(self._count)

    async def __aenter__(self) -> Pipeline:
        await self.service.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Requests that hang would be waited for.
        await self.service.stop(wait_s=1)

    def _count(self, segment: Segment) -> None:
        self.delivered += sum([type(recorded[3]) is Delivered for recorded in segment.events])
        if self._goal is not None and self.delivered >= self._goal[0]:
            self._goal[1].set_result(None)
            self._goal = None

    async def reach(self, delivered: int) -> None:
        """Wait until so many outcomes are recorded."""
        if self.delivered < delivered:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._goal = (delivered, future)
            await asyncio.wait_for(future, LIMIT_S)

    async def run(self, receiver: Receiver, batches: Sequence[bytes], deliveries: int) -> Pace:
        """Feed *batches*, which come to so many deliveries, and time it until the last outcome is recorded."""
        per_batch = deliveries / len(batches)
        await receiver.ask(reset=deliveries)
        begun_at, accepted = self.delivered, 0.0
        room, waiting = asyncio.Condition(), iter(batches)
        started, cpu = time.perf_counter(), time.process_time()

        async def feed() -> None:
            nonlocal accepted
            for batch in waiting:
                accepted += per_batch
                async with room:
                    await self.reach(begun_at + max(0, int(accepted) - UNDER_WAY))
                await self.service.office.intake.accept(TENANT, events_of(batch, TENANT), SOURCE)

        await asyncio.gather(*(feed() for _ in range(FEEDERS)))
        await self.reach(begun_at + deliveries)
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        report = await receiver.ask(wait=LIMIT_S)
        if report["distinct"] != deliveries or report["bad"]:
            raise RuntimeError(f"{deliveries} deliveries were recorded, the receiver says {report}")
        return Pace(deliveries / wall, cpu / deliveries * 1e6)
