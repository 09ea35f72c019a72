"""The brokers that tests run on, one of each kind for each process that runs them, and clients."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from delivery.kafka.producer import Producer
from delivery.kafka.settings import read
from tests.brokers.apache import ApacheBroker, missing
from tests.brokers.broker import Broker
from tests.brokers.reader import Reader
from tests.brokers.small import SmallBroker

if missing() and os.environ.get("CI"):
    raise pytest.UsageError(f"Apache Kafka needs {' and '.join(missing())}, and CI must not go without")

KINDS = [SmallBroker] if missing() else [SmallBroker, ApacheBroker]

ONLY_APACHE = [
    "test_away.py",
    "test_dead.py",
    "test_end_to_end.py",
    "test_guarded.py",
    "test_kafka_page.py",
    "test_odd_records.py",
    "test_poison.py",
]
"""What needs a broker that keeps its log, lets people in by name, and has all that Kafka has."""
collect_ignore = ONLY_APACHE if missing() else []


@pytest.fixture(scope="session", name="started")
def _started() -> Iterator[Callable[[type[Broker]], Broker]]:
    """The broker of a kind, running."""
    brokers: dict[type[Broker], Broker] = {}

    def started(kind: type[Broker]) -> Broker:
        if kind not in brokers:
            brokers[kind] = kind()
        if not brokers[kind].runs:
            brokers[kind].start()
        return brokers[kind]

    yield started
    for broker in brokers.values():
        broker.stop()
        broker.end()


@pytest.fixture(name="broker", params=KINDS, ids=lambda kind: kind.__name__.removesuffix("Broker").lower())
def _broker(request, started, record_property) -> Broker:
    """A running broker, of each kind in turn."""
    record_property("broker", request.param.version)
    return started(request.param)


@pytest.fixture(name="apache")
def _apache(started, record_property) -> Broker:
    """Apache Kafka, running; it may be stopped."""
    record_property("broker", ApacheBroker.version)
    return started(ApacheBroker)


@pytest.fixture(name="produce")
async def _produce() -> AsyncIterator[Callable[..., Producer]]:
    """Producers, closed at the end."""
    made: list[Producer] = []

    def produce(broker: Broker, environment: dict[str, str] | None = None, **limits: int) -> Producer:
        made.append(Producer(read(broker.address, environment or {}), **limits))
        return made[-1]

    yield produce
    for producer in made:
        await producer.close()


@pytest.fixture(name="consume")
async def _consume() -> AsyncIterator[Callable[..., Reader]]:
    """Members of groups, closed at the end."""
    made: list[Reader] = []

    def consume(broker: Broker, topic: str, group: str = "", **words: object) -> Reader:
        made.append(Reader(broker, topic, group or f"{topic}-group", **words))
        return made[-1]

    yield consume
    for reader in made:
        await reader.consumer.close()
