"""Outbox and workers with a broker in memory between them, on one ledger and a clock that only the test turns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from core.incoming import events_of
from delivery.carrier import Carrier, Deliveries, Means, closed_outbox
from delivery.files import shares
from delivery.schedule import SCHEDULE_S
from delivery.station.station import Station
from tests.builders import WAIT_S, open_office
from tests.delivery.outbox.turned import GOOD, Request, ToldSender, url
from tests.inbox.broker import Broker, Reading, Writing

TOPIC = "webhook.deliveries"


class AnyTerm:
    """A term without an end, which takes every mark."""

    number = 1
    is_sure = True

    def __init__(self) -> None:
        self.marks: list[list[tuple[int, int]]] = []

    async def mark(self, attempts, over, for_s):
        self.marks.append(list(attempts))
        return len(self.marks)


class Desk:
    """One outbox, one broker, and one worker process after another."""

    def __init__(self, data: Path) -> None:
        self.office = open_office(data)
        self.clock = self.office.alarms
        self.broker, self.term = Broker(), AnyTerm()
        self.requests: list[Request] = []
        self.reply: Callable = lambda request: GOOD
        """What becomes of a request; None: it hangs until it is answered."""
        sender = ToldSender(self._posted, 1, self.clock)
        deliveries = Deliveries(Writing(self.broker), TOPIC)
        self.means = Means(shares(4_096, 128), 2**26, sender, lambda: 0.0, SCHEDULE_S, deliveries)
        self.carrier = Carrier(self.office, self.means, list, self.term)
        self.carrier.follow(self.office.follow(self.carrier.outbox, lambda: closed_outbox(self.office.directory)))
        self.stations: list[Station] = []

    def _posted(self, request):
        self.requests.append(request)
        return self.reply(request)

    async def start(self) -> None:
        await self.office.start()
        self.carrier.open()

    def station(self) -> Station:
        """Workers in a process of their own, started."""
        self.reading = Reading(self.broker)
        station = Station(self.office, self.means, self.reading)
        self.stations.append(station)
        station.start()
        return station

    async def webhook(self, name: str = "any") -> int:
        made = await self.office.webhooks.create(
            tenant="1", name=name, url=url(name), triggers=(), secret="S3cret-key-0123456789", by=None
        )
        return made.webhook.number

    async def events(self, *titles: str) -> None:
        said = [
            {"id": title, "type": "file.updated", "readers": ["everyone"], "data": {"id": 1, "title": title}}
            for title in titles
        ]
        await self.office.intake.accept("1", events_of(json.dumps(said).encode(), "1"), ("http", "test"))

    async def until(self, is_so: Callable[[], object]) -> None:
        """Let the ledger do what it was given, without time passing, until something is so."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WAIT_S):
            while not is_so():
                for executor in (self.office.writing, self.office.reading, self.office.viewing):
                    await loop.run_in_executor(executor, int)

    async def wait(self, s: float) -> None:
        """So much time passes."""
        await self.settle()
        self.clock.turn_to(self.clock.now_ms() + round(s * 1_000))
        await self.settle()

    async def settle(self) -> None:
        """Let all move that moves by itself."""
        loop = asyncio.get_running_loop()
        for _ in range(30):
            for executor in (self.office.writing, self.office.reading, self.office.viewing):
                await loop.run_in_executor(executor, int)

    @property
    def titles(self) -> list[str]:
        """Of the requests that were made, in their order."""
        return [request.title for request in self.requests]

    @property
    def log(self) -> list:
        """All records of the topic."""
        return [record for place, records in self.broker.logs.items() if place.topic == TOPIC for record in records]

    @property
    def waiting(self) -> int:
        """Deliveries that the outbox knows of."""
        return sum(lane.open for lane in self.carrier.dispatch.lanes.values())

    async def close(self) -> None:
        for station in self.stations:
            await station.stop(0)
        await self.carrier.stop()
        await self.office.close()
