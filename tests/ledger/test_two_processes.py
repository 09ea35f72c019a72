"""Two processes on one PostgreSQL: each hears of what the other recorded, when it looks, or when it writes itself."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import psycopg
import pytest

from core import snapshots
from core.errors import OverloadedError
from core.ledger.store import Database
from core.ledger.unit import Entry, StaleDirectory, Unit
from core.limits import MISSED_EVENTS_MAX
from tests.builders import NOW, SOURCE, WAIT_S, neutral, open_office, sent, set_person, stream
from tests.postgres import cut, drop, new_database


@pytest.fixture(name="offices")
async def _offices(tmp_path):
    database = new_database()
    offices = []
    for name in ("first", "second"):
        data = tmp_path / name
        data.mkdir()
        offices.append(open_office(data, database=database))
        await offices[-1].start()
    yield offices
    for office in offices:
        await office.close()
    drop(database)


async def leads(office):
    """Of all processes, this one keeps the views."""
    office.views.term = office.leader.claim()
    for follower in await office.lead():
        await follower.start()


def told(number):
    """Somebody of another tenant became known."""
    return Unit([Entry(stream(number), 1, set_person(f"p{number}", tenant="2"))])


async def looked(office):
    """Have a process look, and wait until it has."""
    seen = asyncio.Event()
    office.writer.follow(lambda _segment: seen.set())
    office.writer.look()
    await asyncio.wait_for(seen.wait(), WAIT_S)


async def test_who_looks_knows_webhooks_and_deliveries_of_the_other(offices):
    """The directory and the views of a process that only looks are those of the one that writes."""
    first, second = offices
    await leads(first)
    await second.hearing.stop()
    made = await first.webhooks.create(tenant="1", name="w", url="https://hooks.example/1", by=None)
    (accepted,) = await first.intake.accept("1", sent({"type": "file.created"}), SOURCE)
    assert second.directory.by_number == {}
    await looked(second)
    assert second.directory.by_number == first.directory.by_number
    await first.reach(first.writer.head)
    assert accepted.deliveries == 1
    rows = "SELECT number, webhook, outcome FROM history_2"
    assert second.views.rows(rows) == first.views.rows(rows)
    assert [webhook for _, webhook, _ in second.views.rows(rows)] == [made.webhook.number]


async def test_who_starts_while_others_write_takes_in_what_they_wrote(offices, tmp_path, monkeypatch):
    """Also what is recorded between the reading of the directory and the look at its version."""
    first, second = offices
    await first.writer.append([told(1)])
    reads = snapshots.restored

    def meanwhile(reader):
        found = reads(reader)
        second.appender.append([told(2)], NOW)
        return found

    monkeypatch.setattr(snapshots, "restored", meanwhile)
    data = tmp_path / "third"
    data.mkdir()
    third = open_office(data, database=Database(first.recorder.url, first.recorder.schema))
    try:
        await third.start()
        assert third.directory.tenants["2"].version == third.appender.directory("2")
        (answer,) = await third.writer.append([told(3)])
        assert answer == third.writer.head
    finally:
        await third.close()


async def test_who_writes_hears_what_came_before(offices):
    """Between two commits of one process the other's are taken in: by its directory at once, by its views from disk."""
    first, second = offices
    await leads(second)
    await second.hearing.stop()
    await second.writer.append([told(1)])
    made = await first.webhooks.create(tenant="1", name="w", url="https://hooks.example/1", by=None)
    assert await second.writer.append([told(2)]) == [made.webhook.number + 1]
    assert second.directory.by_number == {made.webhook.number: made.webhook}
    await asyncio.wait_for(second.reach(second.writer.head), WAIT_S)
    assert second.written == second.writer.head == made.webhook.number + 1


async def test_who_is_refused_hears_what_came_before(offices):
    """Views follow what others recorded also where a commit added nothing of its own."""
    first, second = offices
    await leads(second)
    await second.hearing.stop()
    stale = Unit([Entry(stream(1), 1, set_person())], condition=second.directory.condition("1"))
    made = await first.webhooks.create(tenant="1", name="w", url="https://hooks.example/1", by=None)
    assert await second.writer.append([stale]) == [StaleDirectory("1")]
    assert second.writer.head == made.webhook.number
    await asyncio.wait_for(second.reach(second.writer.head), WAIT_S)


async def test_a_look_that_is_asked_for_during_a_commit_comes_after_it(offices):
    """Nothing that was recorded before it is missed."""
    first, second = offices
    await second.hearing.stop()
    answered = asyncio.get_running_loop().create_future()
    second.writer.submit([told(1)], answered.set_result)
    made = await first.webhooks.create(tenant="1", name="w", url="https://hooks.example/1", by=None)
    second.writer.look()
    await asyncio.wait_for(answered, WAIT_S)
    await looked(second)
    assert second.directory.by_number == {made.webhook.number: made.webhook}


async def test_what_one_records_the_other_hears_of(offices):
    """Nobody has to look: the database says that there is something new."""
    first, second = offices
    heard = asyncio.Event()
    second.writer.follow(lambda _segment: second.directory.by_number and heard.set())
    made = await first.webhooks.create(tenant="1", name="w", url="https://hooks.example/1", by=None)
    await asyncio.wait_for(heard.wait(), WAIT_S)
    assert second.directory.by_number == {made.webhook.number: made.webhook}


async def test_what_was_recorded_while_nobody_listened_is_looked_for(offices):
    """A connection that is cut, with all others, is made again, and nothing recorded meanwhile is missed."""
    first, second = offices
    await looked(second)
    heard = asyncio.Event()
    second.writer.follow(lambda _segment: second.directory.by_number and heard.set())
    cut(second.database)
    made = await first.webhooks.create(tenant="1", name="w", url="https://hooks.example/1", by=None)
    await asyncio.wait_for(heard.wait(), WAIT_S)
    assert second.directory.by_number == {made.webhook.number: made.webhook}


async def test_who_leads_has_in_memory_what_others_record(offices):
    """All of it, in order, with what receivers get: nothing is read from disk once for each view."""
    first, second = offices
    await second.hearing.stop()
    await leads(second)
    handed = []
    second.writer.follow_all(handed.append)
    await first.webhooks.create(tenant="1", name="w", url="https://hooks.example/1", by=None)
    await first.intake.accept("1", sent({"type": "file.created", "data": {"id": 7}}), SOURCE)
    await looked(second)
    await second.writer.append([told(1)])
    await first.intake.accept("1", sent({"type": "file.created", "id": "again"}), SOURCE)
    await second.writer.append([told(2)])
    recorded = second.reader.after(0)
    assert [each for segment in handed for each in segment.events] == recorded[-sum(len(s.events) for s in handed) :]
    assert [len(segment.events) for segment in handed if segment.events] == [3, 1, 2, 1]
    for before, after in pairwise(handed):
        assert before.last == after.previous
    payloads = second.reader.payloads(each.position for each in recorded)
    kept = {position: body.payload for segment in handed for position, body in segment.bodies.items()}
    assert kept == payloads
    assert len(payloads) == 2


async def test_who_does_not_lead_reads_what_moves_its_directory(offices):
    """And so does who leads, where others have recorded more than is kept in memory: the rest is followed from disk."""
    first, second = offices
    await second.hearing.stop()
    (known,) = await first.writer.append([told(1)])
    many = Unit([neutral(number) for number in range(100, 101 + MISSED_EVENTS_MAX)])
    (begin,) = await first.writer.append([many])
    seen = second.appender.look()
    assert ([each.position for each in seen.missed], seen.bodies) == ([known], None)
    second.appender.reads_all, second.appender.last = True, known - 1
    seen = second.appender.look()
    assert ([each.position for each in seen.missed], seen.bodies) == ([known], None)
    second.appender.last = begin
    assert len(second.appender.look().missed) == MISSED_EVENTS_MAX
    assert second.appender.last == begin + MISSED_EVENTS_MAX


async def test_outsiders_are_not_told_what_the_database_says(offices):
    """Who publishes hears that it cannot be written; the statement, and who asked, are for the log and readiness."""
    office, _ = offices
    schema = office.database.schema

    def rename(name, new):
        with psycopg.connect(office.database.url, autocommit=True) as connection:
            connection.execute(f"SET search_path TO {schema}")
            connection.execute(f"ALTER FUNCTION {name} RENAME TO {new}")

    await asyncio.to_thread(rename, "append", "gone")
    with pytest.raises(OverloadedError) as refused:
        await office.intake.accept("1", sent({"type": "file.created"}), SOURCE)
    assert str(refused.value) == ("the ledger cannot write: its database does not take it just now; nothing was kept")
    assert "function append" in office.writer.health.fault
    await asyncio.to_thread(rename, "gone", "append")
    (accepted,) = await office.intake.accept("1", sent({"type": "file.created"}), SOURCE)
    assert accepted.position == office.writer.head
    assert office.writer.health.fault is None
