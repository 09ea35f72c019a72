"""What is put at one end of the broker is taken at the other: in one process, and over each kind of Kafka."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest

from delivery.broker import InProcessBroker
from delivery.handover import Handover
from delivery.kafka.consumer import Consumer
from delivery.kafka.settings import read
from delivery.parcel import Of
from delivery.station.share import Share
from delivery.station.unpacking import Unpacking
from tests.brokers.conftest import KINDS
from tests.brokers.reader import DEADLINE_S
from tests.delivery.carried.desk import AnyTerm, Desk
from tests.delivery.carried.rows import seen

WEBHOOKS = 5


class InOne:
    """Both ends in one process; who takes is a worker of it."""

    def __init__(self):
        self._broker = InProcessBroker()

    def put(self, row):
        self._broker.put(row)

    def taker(self):
        return self._broker.take


class OverKafka:
    """The ends in two processes; who takes is a member of the group."""

    def __init__(self, broker, producer, office):
        self._address, self._topic, self._office = broker.address, broker.new_topic(), office
        term, alarms = AnyTerm(), office.alarms
        self._handover = Handover(
            producer, self._topic, term, office.clock, alarms, lambda _: Of(1, None), office.recorder.identity
        )
        self.consumers = []

    def put(self, row):
        row.is_marked = True
        self._handover.put(row)

    def taker(self):
        async def released(_partitions):
            pass

        settings, group = read(self._address, {}), f"{self._topic}-workers"
        consumer = Consumer(settings, group, [self._topic], assigned=lambda _: None, released=released)
        self.consumers.append(consumer)
        unpacking, rows = Unpacking(self._office, consumer, lambda _: False, lambda *_: None), []

        async def take():
            while not rows:
                records = await consumer.take()
                rows.extend(one.row for one in await unpacking.unpacked([(one, Share()) for one in records]))
                await consumer.commit({one.place: one.offset + 1 for one in records})
            return rows.pop(0)

        return take


@pytest.fixture(name="desk")
async def _desk(tmp_path):
    """A ledger with deliveries that nobody hands out."""
    desk = Desk(tmp_path)
    await desk.office.start()
    for _ in range(WEBHOOKS):
        await desk.webhook()
    yield desk
    await desk.close()


@pytest.fixture(name="carrying", params=["in one process", *KINDS], ids=lambda kind: getattr(kind, "__name__", kind))
async def _carrying(request, desk, started, produce, record_property):
    if request.param == "in one process":
        yield InOne()
        return
    record_property("broker", request.param.version)
    broker = started(request.param)
    carrying = OverKafka(broker, produce(broker), desk.office)
    yield carrying
    for consumer in carrying.consumers:
        await consumer.close()


async def rows_of(desk, events):
    """Deliveries of so many events, to all webhooks."""
    await desk.events(*(f"event {number}" for number in range(events)))
    rows = desk.carrier.outbox.rows
    await desk.until(lambda: len(rows) == events * WEBHOOKS)
    return list(rows.values())


async def taken(take, count):
    async with asyncio.timeout(DEADLINE_S):
        return [await take() for _ in range(count)]


async def test_each_row_is_taken_once_as_it_was_in_the_order_of_its_webhook(desk, carrying):
    """Whether somebody waits for it already or not."""
    rows = await rows_of(desk, 80)
    for row in rows[:200]:
        carrying.put(row)
    take = carrying.taker()
    came = await taken(take, 200)
    waiting = asyncio.ensure_future(taken(take, 200))
    for row in rows[200:]:
        carrying.put(row)
    came += await waiting
    assert sorted(map(seen, came), key=lambda one: one[0]) == [seen(row) for row in rows]
    orders = defaultdict(list)
    for row in came:
        orders[row.webhook].append(row.number)
    assert all(numbers == sorted(numbers) for numbers in orders.values())


async def test_of_two_who_take_each_row_is_taken_by_one(desk, carrying):
    """What one has the other does not get."""
    takers = [carrying.taker(), carrying.taker()]
    came, enough = [], asyncio.Event()

    async def take_on(take):
        while True:
            came.append((await take()).number)
            if len(came) == 300:
                enough.set()

    tasks = [asyncio.create_task(take_on(take)) for take in takers]
    rows = await rows_of(desk, 60)
    for row in rows:
        carrying.put(row)
    async with asyncio.timeout(DEADLINE_S):
        await enough.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(came) == [row.number for row in rows]
