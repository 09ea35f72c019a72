"""A broker in memory, by the words of delivery/kafka/records.py: topics of partitions, and a group's offsets."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from delivery.kafka.records import Message, Partition, Placed, Record, Refused

TOPIC, DEAD = "portal.events", "portal.events.dead"
TOO_LARGE = "[Error 10] MESSAGE_SIZE_TOO_LARGE: the message is larger than this topic takes"


class Broker:
    """Keeps what is written, and how far the one group has come."""

    def __init__(self):
        self.logs: dict[Partition, list[Record]] = defaultdict(list)
        self.committed: dict[Partition, int] = {}
        self.refuses: str | None = None
        """Why nothing is taken, from anybody who writes."""
        self.bytes_max = 1_000_000
        self._came = asyncio.Event()

    def put(self, value, *, key=None, headers=(), topic=TOPIC, partition=0):
        """A record more; its place."""
        place = Partition(topic, partition)
        log = self.logs[place]
        log.append(Record(topic, partition, len(log), key, value, tuple(headers), 1_795_000_000_000))
        self._came.set()
        return place, len(log) - 1

    def take_message(self, message: Message):
        if self.refuses is not None:
            return Refused(self.refuses)
        assert message.key is not None or message.value is not None, "neither key nor value"
        if self.is_too_large(message):
            return Refused(TOO_LARGE, True)
        _, offset = self.put(message.value, key=message.key, headers=message.headers, topic=message.topic)
        return Placed(0, offset)

    def is_too_large(self, message: Message):
        size = sum(len(name) + len(value) for name, value in message.headers)
        return size + len(message.key or b"") + len(message.value or b"") > self.bytes_max

    @property
    def dead(self):
        return self.logs[Partition(DEAD, 0)]

    def wake(self):
        """Let who waits look again."""
        self._came.set()

    async def came(self):
        self._came.clear()
        await self._came.wait()


class Reading:
    """An Incoming: all partitions of all topics but the dead, from the committed offsets on."""

    def __init__(self, broker, records_max=100):
        self._broker, self._records_max = broker, records_max
        self._seen = dict(broker.committed)
        self.fault: str | None = None
        self.refuses: str | None = None
        """Why no offset is committed."""
        self.is_closed, self.is_member, self.is_out = False, True, False
        self.taken = 0
        self.ends: dict[Partition, int] = {}
        """Where partitions ended when they became ours."""

    def end(self, partition):
        return self.ends.get(partition, 0)

    async def take(self):
        while not self.is_closed:
            found: list[Record] = []
            for place, log in () if self.is_out else self._broker.logs.items():
                if place.topic != DEAD:
                    some = log[self._seen.get(place, 0) :][: self._records_max]
                    self._seen[place] = self._seen.get(place, 0) + len(some)
                    found += some
            if found:
                self.taken += 1
                # Those of several partitions come mixed.
                return sorted(found, key=lambda record: record.offset)
            await self._broker.came()
        return []

    async def commit(self, offsets):
        if self.refuses is not None:
            return self.refuses
        self._broker.committed.update(offsets)
        return None

    async def leave(self):
        """Others have all of it, from the committed offsets on. What is there already is read until a little later."""
        loop = asyncio.get_running_loop()
        for _ in range(20):
            turn = loop.create_future()
            loop.call_soon(turn.set_result, None)
            await turn
        self.is_out = True

    def join(self):
        self.is_out, self._seen = False, dict(self._broker.committed)
        self._broker.wake()

    async def close(self):
        self.is_closed = True


class Writing:
    """An Outgoing: what is sent together is one batch, and is refused as one where something in it is too large."""

    fault: str | None = None

    def __init__(self, broker):
        self._broker = broker

    async def send(self, messages):
        if len(messages) > 1 and any(self._broker.is_too_large(message) for message in messages):
            return [Refused(TOO_LARGE, True)] * len(messages)
        return [self._broker.take_message(message) for message in messages]

    async def close(self):
        pass
