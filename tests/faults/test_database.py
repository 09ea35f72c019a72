"""A service whose ledger is in a database that is away for a while, or does not take what it is given."""

from __future__ import annotations

import pytest

from tests.faults.live import Live
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
