"""A service whose ledger is in a database that is away for a while, or does not take what it is given."""

from __future__ import annotations

import asyncio

import pytest

from core.ledger.store import Database
from tests.faults.live import Live
from tests.ledger.wire import Wire
from tests.postgres import ENVIRONMENT, drop, new_database


@pytest.fixture(name="database")
def _database():
    database = new_database()
    yield database
    drop(database)


async def test_a_fault_that_ends_while_it_takes_over_holds_nothing_back(database, mailbox, tmp_path):
    """Who begins to lead while the ledger is at fault hands out as soon as that is over, whenever that is."""
    live = Live(tmp_path, environment=ENVIRONMENT, database=database)
    writer, leading = live.service.office.writer, live.service.leading
    take_over = leading._take_over

    async def take_over_at_fault(term):
        # As when its connection is lost; the next commit that is taken ends it, and to take over makes one.
        writer.health.lost("the server closed the connection")
        await take_over(term)
        assert writer.health.fault is None

    leading._take_over = take_over_at_fault
    async with live:
        await live.webhook(f"http://127.0.0.1:{mailbox.port}/all")
        (number,) = await live.events()
        await live.until(lambda: number in mailbox.came)


async def test_a_database_that_says_nothing_is_said_to_say_nothing(
    database, mailbox, tmp_path, tmp_path_factory, monkeypatch
):
    """A connection that is whole and silent breaks nothing. A process says that it is not ready all the same, also one
    that has nothing to record; what was asked meanwhile is answered when the database speaks again."""
    monkeypatch.setattr("delivery.service.SILENT_S", 0.5)
    wire = Wire(database.url, tmp_path_factory.mktemp("w"))
    live = Live(tmp_path, environment=ENVIRONMENT, database=Database(wire.database, database.schema))
    async with live:
        await live.webhook(f"http://127.0.0.1:{mailbox.port}/all")
        await live.until(lambda: live.service.carrier)
        wire.hold()
        await live.until(lambda: len([why for why in live.service.readiness() if "does not answer" in why]) == 2)
        publishing = asyncio.create_task(live.events())
        wire.go_on()
        (number,) = await publishing
        await live.until(lambda: number in mailbox.came)
        await live.until(lambda: not live.service.readiness())
    wire.close()
