"""An inbox between a broker in memory and a real ledger, on a clock that only the test turns."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import pytest

from core.model.portal_event import Received
from delivery.inbox import Inbox
from delivery.kafka_event import TenantRules
from tests.builders import WAIT_S, open_office
from tests.inbox.broker import DEAD, Broker, Reading, Writing


class Post:
    """One broker, one ledger, and one inbox after another."""

    def __init__(self, data):
        self.office = open_office(data)
        self.broker = Broker()
        self.inboxes: list[Inbox] = []

    def open(self, *, records_max=100, patterns=()):
        """An inbox, started."""
        self.reading = Reading(self.broker, records_max)
        self.writing = Writing(self.broker)
        inbox = Inbox(self.reading, self.writing, self.office, rules=TenantRules(patterns))
        self.inboxes.append(inbox)
        inbox.start()
        return inbox

    async def until(self, is_so):
        """Turn the clock from alarm to alarm, and let the ledger do what it was given, until something is so."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WAIT_S):
            while not is_so():
                if (alarm := self.office.alarms.next_alarm()) is not None:
                    self.office.alarms.turn_to(alarm)
                await loop.run_in_executor(self.office.writing, int)

    async def done(self):
        """Until the group has come to the end of all that there is to read."""
        await self.until(lambda: self.unread() == 0)

    def unread(self):
        committed = self.broker.committed
        logs = {place: log for place, log in self.broker.logs.items() if place.topic != DEAD}
        return sum(len(log) - committed.get(place, 0) for place, log in logs.items())

    def received(self):
        """Portal events in the ledger, in its order."""
        found = (recorded.event for recorded in self.office.reader.after(0, 100_000))
        return [event for event in found if isinstance(event, Received)]

    def ids(self):
        return [event.id for event in self.received()]

    async def close(self):
        for inbox in self.inboxes:
            await inbox.stop()
        await self.office.close()


@pytest.fixture
async def post(tmp_path):
    post = Post(tmp_path)
    await post.office.start()
    yield post
    await post.close()


def event(id="a", **said):
    return {"id": id, "type": "file.created", "data": {"id": 1}, **said}


def plain(*given, **said):
    return json.dumps(event(*given, **said)).encode()


async def odd(*_):
    """Instead of what takes events: a fault of ours."""
    raise KeyError("odd")


def fails(*_, **__):
    """Instead of what writes."""
    raise sqlite3.OperationalError("disk I/O error")
