"""The demo of all roles over Kafka, act by act; a HookledgerError says what is not as it should be."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from core.errors import HookledgerError
from core.settings import Settings
from delivery.demo.processes import Crew
from delivery.demo.scene import REPORT, Subscriber, samples, subscribers
from tests.brokers.broker import Broker
from tests.brokers.demo.shown import Shown
from tests.brokers.outcomes import Outcomes, Wanted
from tests.brokers.outsider import OF_KAFKA_PYTHON, Following
from tests.brokers.verifying import VerifyingReceiver

ROLES = {"api": "api", "inbox": "inbox", "outbox": "outbox", "worker-1": "worker", "worker-2": "worker"}
TOPICS = Settings()
LOAD = 400
"""Events that come while a worker is killed; both webhooks want each."""
HELD_FROM = 100
"""After so many deliveries of them the receiver lets requests wait, so that some are under way at the kill."""
HELD = 10
"""So many of each webhook."""
COMES_S = 40.0
"""A killed worker's part is another's after some 8 s; this is for slow machines."""
TAKEN = 'hookledger_worker_deliveries_total{what="taken"} '


class Play:
    """What one act leaves for the next."""

    def __init__(self, shown: Shown, crew: Crew, broker: Broker, home: Path) -> None:
        self._shown, self._crew, self._broker, self._home = shown, crew, broker, home
        everything, _, report = subscribers()
        self._subscribers: dict[str, Subscriber] = {"everything": everything, "report": report}
        self._numbers: dict[str, int] = {}
        self._receiver = VerifyingReceiver()
        self._outcomes = Outcomes()
        self._following = Following(OF_KAFKA_PYTHON, broker.address, TOPICS.ledger_topic, self._outcomes.take)
        self._serving: dict[str, tuple[Process, str]] = {}

    async def run(self) -> None:
        try:
            await self._set_up()
            await self._serve()
            await self._subscribe()
            await self._deliver()
            await self._kill_under_load()
            await self._end()
        finally:
            await self._following.end()
            await self._receiver.close()

    async def _set_up(self) -> None:
        self._shown.act("Tables and topics")
        await self._run("migrate")
        said: list[dict[str, Any]] = msgspec.json.decode(await self._run("kafka", "init", "--json"))
        for one in said:
            if not await asyncio.to_thread(self._broker.has_topic, one["topic"]):
                raise HookledgerError(f"`kafka init` said {one['state']} of {one['topic']}, which is not there")
        self._shown.verified(f"{len(said)} topics are there: {', '.join(one['topic'] for one in said)}")

    async def _serve(self) -> None:
        self._shown.act("Each role in a process of its own")
        # Also when one of them fails, the others are known of, so that they are stopped.
        started = await asyncio.gather(*map(self._start, ROLES), return_exceptions=True)
        for name, one in zip(ROLES, started, strict=True):
            if isinstance(one, BaseException):
                raise one
            self._serving[name] = one
        async with aiohttp.ClientSession() as session:
            for name, (_, url) in self._serving.items():
                async with session.get(f"{url}/health/ready") as answer:
                    if answer.status != 200:
                        raise HookledgerError(f"{name} is not ready: {await answer.text()}")
        self._shown.verified(f"{', '.join(self._serving)} answer that they are ready")

    async def _start(self, name: str) -> tuple[Process, str]:
        words = ["serve", "--role", ROLES[name], "--port", "0"]
        self._shown.typed(["hookledger", *words])
        process, url = await self._crew.start([*words, "--data", str(self._home / name)], says=1)
        assert process.stdout is not None
        while (line := (await process.stdout.readline()).decode().strip()) != "ready":
            if not line:
                raise HookledgerError(f"{name} ended before it was ready")
        return process, url

    async def _subscribe(self) -> None:
        self._shown.act("Two webhooks at a receiver that lets the package standardwebhooks judge what it gets")
        await self._receiver.open()
        for name, one in self._subscribers.items():
            self._receiver.secrets[name] = one.secret
            made = await self._run(*one.words(self._receiver.url), "--json", stdin=one.secret + "\n")
            self._numbers[name] = msgspec.json.decode(made)["id"]
        await self._following.begin()
        listed = {one["name"] for one in msgspec.json.decode(await self._run("webhooks", "list", "--json"))}
        if listed != set(self._subscribers):
            raise HookledgerError(f"webhooks were made, and {listed or 'none'} are there")
        self._shown.verified(f"{' and '.join(self._subscribers)} are there")

    async def _deliver(self) -> None:
        events = samples()
        self._shown.act(f"{len(events)} portal events, one of each trigger, from a client that is not ours")
        sent = [msgspec.json.decode(one.event) for one in events]
        ids = [one["id"] for one in sent]
        about = [one["id"] for one in sent if one["type"].startswith("file.") and str(one["data"]["id"]) == REPORT]
        await self._write([one.event for one in events])
        self._shown.verified(f"{len(events)} events written to {TOPICS.inbox_topic[0]} by kafka-python's command line")
        wanted = {Wanted(self._numbers["everything"], id) for id in ids}
        wanted |= {Wanted(self._numbers["report"], id) for id in about}
        took = await self._told(wanted, after=0)
        self._shown.verified(f"{len(wanted)} deliveries arrived: {len(ids)} to everything, {len(about)} to report")
        self._shown.verified(
            f"{2 * len(self._receiver.posts)} signatures hold, two in each request: standardwebhooks, and DocSpace's"
        )
        self._shown.typed(OF_KAFKA_PYTHON.words(("kafka-python", "consumer"), self._broker.address, "webhook.ledger"))
        self._shown.verified(f"{took} records on {TOPICS.ledger_topic}: each delivery is made, and then delivered")

    async def _kill_under_load(self) -> None:
        self._shown.act(f"{LOAD} events more, and a worker that is killed among them")
        receiver, before = self._receiver, len(self._receiver.posts)
        loop = asyncio.get_running_loop()
        ids = [f"load-{number}" for number in range(LOAD)]
        writing = asyncio.create_task(self._write([_load(id) for id in ids]))
        if not await receiver.until(lambda: len(receiver.posts) - before >= HELD_FROM, COMES_S):
            raise HookledgerError(f"only {len(receiver.posts) - before} deliveries of them came within {COMES_S:g} s")
        receiver.hold()
        if not await receiver.until(lambda: all(receiver.waiting[name] >= HELD for name in self._numbers), COMES_S):
            raise HookledgerError(f"under way are {dict(receiver.waiting)}, and not {HELD} of each webhook")
        taken = {name: await self._taken(name) for name in ROLES if ROLES[name] == "worker"}
        killed = max(taken, key=lambda name: taken[name])
        process, _ = self._serving.pop(killed)
        process.kill()
        await process.wait()
        began, came = loop.time(), len(receiver.posts) - before
        receiver.answer()
        await writing
        self._shown.verified(f"{killed} killed, after {came} of {2 * LOAD} deliveries had come, some of them under way")
        wanted = {Wanted(number, id) for number in self._numbers.values() for id in ids}
        await self._told(wanted, after=before)
        self._shown.verified(
            f"{len(wanted)} of {len(wanted)} deliveries arrived and are told as delivered, the last of them"
            f" {loop.time() - began:.0f} s after the kill: nothing lost"
        )
        twice = {delivery for delivery, times in receiver.deliveries.items() if times > 1}
        begun = {post.delivery for post in receiver.posts[: before + came]}
        if not twice or not twice <= begun:
            raise HookledgerError(f"{len(twice)} came twice, of which {len(twice - begun)} first after the kill")
        self._shown.verified(
            f"{len(twice)} received twice, by the same webhook-id: begun by the killed worker, and not recorded"
        )

    async def _end(self) -> None:
        self._shown.act("Nothing lies before anybody")
        standings = await self._standings()
        read = sorted({(one["group"], one["topic"]) for one in standings})
        self._shown.verified(f"lag 0: {', '.join(f'{group} has read all of {topic}' for group, topic in read)}")
        codes = {name: await self._crew.stop(process) for name, (process, _) in self._serving.items()}
        if any(codes.values()):
            raise HookledgerError(f"asked to stop, they ended with {codes}")
        self._shown.verified(f"{', '.join(codes)} ended as they were told to")

    async def _standings(self) -> list[dict[str, Any]]:
        """What `kafka lag` says, once there is none: offsets are committed a little after what was done."""
        loop = asyncio.get_running_loop()
        until = loop.time() + COMES_S
        words = ["kafka", "lag", "--json"]
        self._shown.typed(["hookledger", *words])
        while True:
            standings: list[dict[str, Any]] = msgspec.json.decode(await self._crew.run(words))
            if not any(one["lag"] for one in standings):
                return standings
            if loop.time() > until:
                raise HookledgerError(f"there is a lag still: {standings}")

    async def _told(self, wanted: set[Wanted], after: int) -> int:
        """Wait until the outcome of each is on the topic and the receiver has had it; how many records that took."""
        outcomes, receiver = self._outcomes, self._receiver
        if not await self._following.until(lambda: outcomes.ended(wanted) == wanted, COMES_S):
            lost = sorted(wanted - outcomes.ended(wanted))
            raise HookledgerError(f"no outcome of {len(lost)} of {len(wanted)} deliveries came: {lost[:3]}")
        if wrong := outcomes.not_delivered(wanted):
            raise HookledgerError(
                f"{len(wrong)} of {len(wanted)} are told as something else: {list(wrong.items())[:3]}"
            )
        if receiver.wrong:
            raise HookledgerError(f"{len(receiver.wrong)} signatures do not hold: {receiver.wrong[0]}")
        came = {post.delivery for post in receiver.posts[after:]}
        told = {outcomes.subjects[one] for one in wanted}
        if came != told:
            raise HookledgerError(f"{len(told - came)} told as delivered did not come, {len(came - told)} came untold")
        return 2 * len(wanted)

    async def _taken(self, name: str) -> float:
        """How many deliveries a worker has had."""
        _, url = self._serving[name]
        async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(float(line.removeprefix(TAKEN)) for line in lines if line.startswith(TAKEN))

    async def _write(self, events: list[bytes]) -> None:
        self._shown.typed(
            OF_KAFKA_PYTHON.words(("kafka-python", "producer"), self._broker.address, TOPICS.inbox_topic[0])
        )
        try:
            await OF_KAFKA_PYTHON.write(self._broker.address, TOPICS.inbox_topic[0], events)
        except OSError as error:
            raise HookledgerError(str(error)) from error

    async def _run(self, *words: str, stdin: str = "") -> str:
        self._shown.typed(["hookledger", *words])
        return await self._crew.run(words, stdin=stdin)


def _load(id: str) -> bytes:
    return msgspec.json.encode({"id": id, "type": "file.updated", "data": {"id": 991, "title": f"{id}.docx"}})
