"""The whole service on PostgreSQL and Kafka, a process for each role: portal events are produced to a topic, and come
out of it as deliveries.

Who produces, the broker, the database and the receiver are on this machine as well, and take their part of it: CPU is
told for each of them. Topics and the schema are this run's own.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from delivery.bench.measure_database import ENVIRONMENT, Cpu, ledger
from delivery.bench.measure_http import percentile
from delivery.bench.pipeline import LIMIT_S, Pipeline
from delivery.bench.serving import Serving
from delivery.bench.stage import Receiver, event, make_webhooks
from delivery.kafka.admin import Admin
from delivery.kafka.producer import Producer
from delivery.kafka.records import Message, Placed
from delivery.kafka.settings import read
from delivery.kafka_setup.made import made
from delivery.kafka_setup.plan import Asked, planned

ROLES = ("outbox", "worker", "inbox")
CHUNK = 1_000
"""Events produced at once."""


class Portal:
    """Produces events to the topic of this run."""

    def __init__(self, producer: Producer, topic: str, webhooks: int) -> None:
        self._producer, self._topic, self._webhooks = producer, topic, webhooks

    def messages(self, count: int, title: str) -> list[tuple[str, Message]]:
        made = []
        for number in range(count):
            name = f"{title} {number}"
            target = 1_000 + number % self._webhooks
            made.append((name, Message(self._topic, b"%d" % target, msgspec.json.encode(event(target, name)))))
        return made

    async def produce(self, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), CHUNK):
            outcomes = await self._producer.send(messages[start : start + CHUNK])
            if not all(isinstance(outcome, Placed) for outcome in outcomes):
                raise RuntimeError(f"the broker did not take all events: {outcomes[0]}")


@asynccontextmanager
async def portal(kafka: str, topic: str, webhooks: int) -> AsyncIterator[Portal]:
    producer = Producer(read(kafka, os.environ))
    try:
        yield Portal(producer, topic, webhooks)
    finally:
        await producer.close()


async def drained(receiver: Receiver, portal: Portal, count: int) -> float:
    """Deliveries a second, from the first arrival to the last."""
    messages = [message for _, message in portal.messages(count, "report")]
    await receiver.ask(reset=count)
    await portal.produce(messages)
    report = await receiver.ask(wait=LIMIT_S)
    if report["distinct"] != count or report["bad"]:
        raise RuntimeError(f"{count} events were produced, the receiver says {report}")
    return (count - 1) / float(report["seconds"])


async def latencies(receiver: Receiver, portal: Portal, count: int, per_s: float) -> dict[str, float]:
    """From when an event is given to the producer to the receiver's socket, in milliseconds."""
    await receiver.ask(reset=count, times=True)
    sent: dict[str, float] = {}
    began = time.monotonic()
    under_way: set[asyncio.Task[None]] = set()
    for number, (name, message) in enumerate(portal.messages(count, "late")):
        wait_s = began + number / per_s - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        sent[name] = time.monotonic()
        task = asyncio.create_task(portal.produce([message]))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    report = await receiver.ask(wait=LIMIT_S)
    taken = sorted((report["times"][name] - at) * 1000 for name, at in sent.items())
    return {"p50": percentile(taken, 50), "p99": percentile(taken, 99)}


def pid_of(address: str) -> int | None:
    """The process of this machine that listens on that port; None: it is not here, or not ours to see."""
    port = f"{int(address.split(',', maxsplit=1)[0].rpartition(':')[2]):04X}"
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(f":{port}") and fields[3] == "0A":
                    inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                if any(str(file.readlink()) in inodes for file in (process / "fd").iterdir()):
                    return int(process.name)
    return None


@contextmanager
def topics_of(kafka: str, name: str) -> Iterator[Mapping[str, str]]:
    """Topics with that in their names, by their settings, as `hookledger kafka init` makes them; deleted at the end."""
    topics = {
        setting: f"{name}.{use}"
        for setting, use in (
            ("inbox_topic", "events"),
            ("inbox_dead_topic", "dead"),
            ("deliveries_topic", "deliveries"),
            ("ledger_topic", "ledger"),
        )
    }
    events, dead, deliveries, recorded = topics.values()
    with Admin(read(kafka, os.environ)) as admin:
        made(admin, planned(Asked([events], dead, deliveries, recorded), admin.brokers()))
        try:
            yield topics
        finally:
            admin.delete(list(topics.values()))


async def over_kafka(
    receiver: Receiver, place: Path, url: str, kafka: str, webhooks: int, events: int, bare_per_s: float
) -> dict[str, Any]:
    """A process for each role."""
    async with ledger(url) as database, AsyncExitStack() as running:
        topics = running.enter_context(topics_of(kafka, database.schema))
        async with Pipeline(place / "k", database=database, environment=ENVIRONMENT) as pipeline:
            await make_webhooks(pipeline.service.office.webhooks, receiver.port, webhooks)
        environment = {
            **ENVIRONMENT,
            "HOOKLEDGER_DATABASE": url,
            "HOOKLEDGER_SCHEMA": database.schema,
            "HOOKLEDGER_KAFKA": kafka,
            "HOOKLEDGER_ALLOW_TARGET": "127.0.0.0/8",
            "HOOKLEDGER_INBOX_GROUP": f"{database.schema}-inbox",
            "HOOKLEDGER_DELIVERIES_GROUP": f"{database.schema}-workers",
            **{f"HOOKLEDGER_{name.upper()}": topic for name, topic in topics.items()},
        }
        watched = {"receiver": receiver.pid, "portal": os.getpid()}
        for role in ROLES:
            serving = Serving(place / f"k-{role}", publishes=False, words=("--role", role), environment=environment)
            watched[f"hookledger {role}"] = (await running.enter_async_context(serving)).pid
        broker = pid_of(kafka)
        if broker is not None:
            watched["kafka"] = broker
        producing = await running.enter_async_context(portal(kafka, topics["inbox_topic"], webhooks))
        await drained(receiver, producing, webhooks * 20)
        cpu = Cpu(url, watched)
        per_s = await drained(receiver, producing, events)
        spent = cpu.us_per(events)
        return {
            "kafka_per_s": per_s,
            "kafka_ratio_bare": per_s / bare_per_s,
            "kafka_cpu_us_per_delivery": spent,
            "kafka_idle_latency_ms": await latencies(receiver, producing, min(events // 50, 400), 40.0),
            "kafka_half_load_latency_ms": await latencies(receiver, producing, min(events // 5, 4_000), per_s / 2),
        }
