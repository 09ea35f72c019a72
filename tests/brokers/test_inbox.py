"""Portal events through a real broker into a real ledger."""

from __future__ import annotations

import asyncio
import json
import os

from core.model.portal_event import Received
from delivery.inbox import Inbox
from delivery.kafka.consumer import Consumer
from delivery.kafka.records import Message
from delivery.kafka.settings import read
from tests.brokers.reader import DEADLINE_S
from tests.builders import open_office


def event(number):
    return json.dumps({"id": f"{number}", "type": "file.created", "data": {"id": 1}}).encode()


class Member:
    """An inbox, and its place in the group."""

    def __init__(self, broker, topic, producer, office, dead_topic):
        self.owned = frozenset()
        self.consumer = Consumer(
            read(broker.address, {}), f"{topic}-group", [topic], assigned=lambda _: None, released=self._released
        )
        self.inbox = Inbox(self.consumer, producer, office, dead_topic=dead_topic)
        self.inbox.start()

    async def _released(self, partitions):
        await self.inbox.released(partitions)


async def until(is_so):
    """Look whenever something may have changed, and not for ever."""
    changed = asyncio.Event()
    async with asyncio.timeout(DEADLINE_S):
        while not is_so():
            asyncio.get_running_loop().call_later(0.05, changed.set)
            await changed.wait()
            changed.clear()


async def test_events_come_into_the_ledger_and_what_is_none_to_the_dead(broker, produce, consume, tmp_path):
    """Each once and in the order of its partition, through an inbox that stops and another that goes on."""
    topic, dead_topic = broker.new_topic(partitions=3), broker.new_topic(partitions=1)
    office = open_office(tmp_path)
    await office.start()
    producer = produce(broker)
    await producer.send([Message(topic, b"%d" % (n % 7), event(n)) for n in range(300)])
    first = Member(broker, topic, producer, office, dead_topic)
    await until(lambda: first.inbox.records >= 300)
    await first.inbox.stop()
    await producer.send([Message(topic, b"odd", b"no event", (("mine", b"x"),))])
    await producer.send([Message(topic, b"%d" % (n % 7), event(n)) for n in range(300, 400)])
    second = Member(broker, topic, producer, office, dead_topic)
    await until(lambda: second.inbox.records >= 101)
    await second.inbox.stop()
    received = [one.event for one in office.reader.after(0, 10_000) if isinstance(one.event, Received)]
    (dead,) = await consume(broker, dead_topic).take(1)
    await office.close()
    assert sorted(int(one.id) for one in received) == list(range(400))
    for partition in range(3):
        of_it = [one.source[3] for one in received if one.source[2] == partition]
        assert of_it == sorted(of_it)
    assert (first.inbox.records, second.inbox.records, second.inbox.dead) == (300, 101, 1)
    assert (dead.key, dead.value, dead.headers[0]) == (b"odd", b"no event", ("mine", b"x"))
    assert dict(dead.headers)["hookledger-topic"] == topic.encode()


async def test_a_dead_letter_that_its_topic_does_not_take_is_cut(apache, produce, consume, tmp_path):
    """The broker's own words for it are known; those beside it come whole."""
    topic = apache.new_topic(partitions=1)
    dead_topic = apache.new_topic(partitions=1, **{"max.message.bytes": "2000"})
    office = open_office(tmp_path)
    await office.start()
    producer = produce(apache)
    # What is random is not compressed.
    large = os.urandom(5_000)
    await producer.send([Message(topic, b"large", large), Message(topic, b"small", b"odd")])
    member = Member(apache, topic, producer, office, dead_topic)
    await until(lambda: member.inbox.records >= 2)
    await member.inbox.stop()
    dead = {one.key: one for one in await consume(apache, dead_topic).take(2)}
    await office.close()
    assert dead[b"small"].value == b"odd"
    assert "hookledger-cut" not in dict(dead[b"small"].headers)
    assert dict(dead[b"large"].headers)["hookledger-cut"] == b"5000"
    assert large.startswith(dead[b"large"].value)
    assert 0 < len(dead[b"large"].value) < 2_000
