"""A feed between a real ledger and a topic in memory, on a clock that only the test turns."""

from __future__ import annotations

import asyncio

import pytest

from core.ledger.unit import Entry, Unit
from core.model import delivery, webhook
from delivery.kafka.records import Placed, Refused
from delivery.ledger_topic.event import Known, message_of, portal_events
from delivery.ledger_topic.feed import LedgerFeed
from tests.builders import NOW, WAIT_S, create_webhook, open_office, sent, stream
from tests.feed.told import ATTEMPT

TOPIC = "webhook.ledger"


class Topic:
    """An Outgoing to one topic in memory, which may be made to refuse, or to keep who sends waiting."""

    fault: str | None = None

    def __init__(self):
        self.log = []
        self.refuses = lambda _message: False
        self.turn = lambda: None
        """Called before each batch."""
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.asked = asyncio.Event()

    async def send(self, messages):
        self.asked.set()
        await self.goes_on.wait()
        self.turn()
        return [self._take(message) for message in messages]

    def _take(self, message):
        if self.refuses(message):
            return Refused("it is not to be")
        self.log.append(message)
        return Placed(0, len(self.log) - 1)

    @property
    def first(self):
        """Each message once, where it came first."""
        return list(dict.fromkeys(self.log))


class Desk:
    """One ledger, one topic, and one feed after another."""

    def __init__(self, data):
        self.data = data
        self.office = open_office(data)
        self.topic = Topic()
        self.feeds = []
        self.hooks = {}
        self._made = 0

    def open(self):
        """A feed that leads."""
        feed = LedgerFeed(self.office, self.topic, TOPIC)
        self.feeds.append(feed)
        feed.lead()
        return feed

    async def hook(self):
        """A webhook more; its number."""
        self._made += 1
        (number,) = await self.office.writer.append([Unit([Entry(stream(self._made), 1, create_webhook())])])
        self.hooks[number] = stream(self._made)
        return number

    async def rename(self, number, version):
        """Something changes of a webhook."""
        event = webhook.Changed("1", NOW, "ann", {"name": ("old", "new")})
        await self.office.writer.append([Unit([Entry(self.hooks[number], version, event)])])

    async def accept(self, count=1):
        """Portal events, whose deliveries go to all webhooks."""
        self._made += 1
        events = [{"type": "file.created", "id": f"{self._made}-{n}"} for n in range(count)]
        await self.office.intake.accept("1", sent(*events), ("http", "t"))

    async def deliver(self):
        """All that is pending is delivered."""
        recorded = self.office.reader.after(0, 100_000)
        ended = {one.event.number for one in recorded if isinstance(one.event, delivery.Outcome)}
        open_ = [one for one in recorded if isinstance(one.event, delivery.Created) and one.position not in ended]
        units = [
            Unit([Entry(one.stream, 2, delivery.Delivered("1", NOW, one.event.webhook, one.position, ATTEMPT))])
            for one in open_
        ]
        await self.office.writer.append(units)

    def expected(self):
        """All that is to be told, in the order of the ledger."""
        recorded = self.office.reader.after(0, 100_000)
        known = Known(lambda id: self.office.directory.webhooks[id].number, portal_events(recorded)[0])
        return [told for one in recorded if (told := message_of(one, known, TOPIC)) is not None]

    def kept(self):
        """How far it is written down that all was told."""
        rows = self.office.views.rows("SELECT position FROM tracking WHERE view LIKE 'ledger-feed/%'")
        return rows[0][0] if rows else None

    async def until(self, is_so):
        """Turn the clock from alarm to alarm, and let others do what they were given, until something is so."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WAIT_S):
            while not is_so():
                if (alarm := self.office.alarms.next_alarm()) is not None:
                    self.office.alarms.turn_to(alarm)
                for executor in (self.office.writing, self.office.viewing, self.office.reading):
                    await loop.run_in_executor(executor, int)

    async def told(self):
        """Until all is told, and that is written down."""
        await self.until(lambda: self.kept() == self.office.writer.head)

    async def close(self):
        for feed in self.feeds:
            await feed.stop()
        await self.office.close()


@pytest.fixture
async def desk(tmp_path):
    desk = Desk(tmp_path)
    await desk.office.start()
    yield desk
    await desk.close()
