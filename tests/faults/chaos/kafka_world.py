"""The same with a process for each role and Kafka between them, whose broker is stopped, killed and emptied as well."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from random import Random
from typing import NamedTuple

from core.limits import CARRIED_MARK_S
from core.settings import Settings
from delivery.kafka.producer import Producer
from delivery.kafka.settings import read
from tests.brokers.apache import ApacheBroker
from tests.faults.chaos.kafka_people import KafkaPeople
from tests.faults.chaos.member import Member
from tests.faults.chaos.people import moment
from tests.faults.chaos.world import World

PARTITIONS = 6
TOPICS = Settings()
NAMES = (*TOPICS.inbox_topic, TOPICS.inbox_dead_topic, TOPICS.deliveries_topic, TOPICS.ledger_topic)
IN_TURN = ("inbox-1", "the leader", "worker-1", "worker-2", "inbox-2", "api", "worker-1", "outbox-1")
"""Who is killed, one after the other."""


KAFKA_SEATS: dict[str, tuple[str, ...]] = {
    "api": ("api",),
    "inbox-1": ("inbox",), "inbox-2": ("inbox",),
    "outbox-1": ("outbox",), "outbox-2": ("outbox",),
    "worker-1": ("worker",), "worker-2": ("worker",),
}  # fmt: skip


class KafkaPlan(NamedTuple):
    """How much of everything; of the broker: stopped, killed, and its log emptied."""

    events: int
    kills: int
    stops: int
    pauses: int
    joins: int
    broker_stops: int
    broker_kills: int
    empties: int

    def steps(self, random: Random) -> list[str]:
        turn = cycle(IN_TURN)
        steps = [f"kill {next(turn)}" for _ in range(self.kills)]
        others = ["stop"] * self.stops + ["join and leave"] * self.joins
        others += ["pause the leader", "pause worker-2"] * (self.pauses // 2) + ["pause worker-1"] * (self.pauses % 2)
        others += ["stop the broker"] * self.broker_stops + ["kill the broker"] * self.broker_kills
        others += ["empty the broker"] * self.empties
        for step in others:
            steps.insert(random.randrange(1, len(steps)), step)
        return steps


class KafkaWorld(World):
    """Of `World`, with a broker."""

    seats = KAFKA_SEATS
    end_s = CARRIED_MARK_S + 20
    people: KafkaPeople

    def __init__(self, folder: Path, plan: KafkaPlan, seed: int, say: Callable[[str], None]) -> None:
        self.broker = ApacheBroker()
        super().__init__(folder, plan, seed, say)
        self._joined = 0

    def member(self, name: str, roles: tuple[str, ...]) -> Member:
        words = ("--kafka", self.broker.address)
        return Member(name, roles, self._folder, self.server.database, words)

    def make_people(self, token: str, urls: list[str]) -> KafkaPeople:
        people = KafkaPeople(self._seed, self.members, token, urls)
        people.produce_with(Producer(read(self.broker.address, os.environ)), TOPICS.inbox_topic[0])
        return people

    async def begin(self) -> None:
        await asyncio.to_thread(self.broker.start)
        await self._make_topics()
        await super().begin()

    async def _make_topics(self) -> None:
        for name in NAMES:
            await asyncio.to_thread(self.broker.new_topic, PARTITIONS, name)

    async def do(self, step: str) -> None:
        what, _, whom = step.partition(" ")
        match what, whom:
            case "kill", "the broker":
                await self._away("kafka", self.broker.kill)
            case "stop", "the broker":
                await self._away("kafka", self.broker.stop)
            case "empty", "the broker":
                await self._empty()
            case "kill", _:
                await self.kill(await self._named(whom))
            case "pause", _:
                await self.pause(await self._named(whom))
            case "join", _:
                await self._join_and_leave()
            case _:
                await super().do(step)

    async def _named(self, whom: str) -> Member:
        if whom == "the leader":
            return await self.leader()
        return next(member for member in self.members if member.name == whom)

    async def _away(self, kind: str, go: Callable[[], None]) -> None:
        with self.trouble(kind):
            await asyncio.to_thread(go)
            await moment(self.random.uniform(1.0, 6.0))
            await asyncio.to_thread(self.broker.start)
        self.counts["broker away"] += 1

    async def _empty(self) -> None:
        """Once all that was produced is in the ledger; what was on its way to workers is lost."""
        self.people.waits = True
        while self.people.sending:
            await moment(0.05)
        while len(self.people.acknowledged) > await self._events_recorded():
            await moment(0.05)
        with self.trouble("kafka"):
            await asyncio.to_thread(self.broker.kill)
            self.broker.empty()
            await asyncio.to_thread(self.broker.start)
            await self._make_topics()
        self.people.waits = False
        self.counts["broker emptied"] += 1

    async def _events_recorded(self) -> int:
        ((count,),) = await self.server.rows("SELECT count(*) FROM events WHERE topic LIKE 'PortalEvent.Received/%'")
        return count

    async def _join_and_leave(self) -> None:
        self._joined += 1
        member = self.member(f"worker-joins-{self._joined}", ("worker",))
        keeping = asyncio.create_task(member.keep())
        self._keeping.append(keeping)
        self.members.append(member)
        while not member.has_started:
            await moment(0.1)
        await moment(self.random.uniform(2.0, 8.0))
        member.stop_keeping()
        await self.ends(member)
        await keeping
        self.members.remove(member)
        self.gone.append(member)
        self.counts["joined and left"] += 1

    async def close(self) -> None:
        if hasattr(self, "people"):
            await self.people.producer.close()
        await super().close()
        self.broker.end()
