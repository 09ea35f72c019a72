"""A worker that hands its part over, or leaves it because it cannot record: nothing is sent twice, or lost, by that."""

from __future__ import annotations

import asyncio

from core.limits import CUT_OFF_S
from delivery.kafka.records import Partition
from delivery.membership import STEADY_S
from tests.builders import WAIT_S
from tests.delivery.carried.desk import TOPIC
from tests.delivery.outbox.turned import GOOD
from tests.inbox.conftest import fails

PLACE = Partition(TOPIC, 0)


async def test_who_cannot_record_leaves_its_part_to_others_until_it_can(desk, monkeypatch):
    """What it has read and not begun is attempted by whoever has the part next, and here only when it is back. What it
    had begun is recorded, is not sent again, and nothing is committed past it before."""
    station = await begun(desk)
    desk.reading.is_member = False
    await desk.events("waits")
    await desk.settle()
    with monkeypatch.context() as patch:
        silence(desk, patch)
        desk.requests[0].answer(GOOD)
        await desk.until(lambda: desk.office.writer.health.fault is not None)
        desk.reading.is_member = True
        await desk.wait(CUT_OFF_S - 1)
        assert (desk.reading.is_out, desk.titles) == (False, ["begun"])
        await desk.wait(2)
        assert desk.reading.is_out
        assert any("deliveries are left to others" in reason for reason in station.reasons())
        assert (len(station._queue), station._shares) == (0, {})
    await desk.wait(1)
    await desk.wait(STEADY_S - 1)
    assert desk.reading.is_out
    desk.reply = lambda request: GOOD
    await desk.wait(2)
    assert not desk.reading.is_out
    await desk.wait(1)
    assert station.reasons() == []
    await desk.until(lambda: desk.waiting == 0)
    await desk.wait(1)
    assert (desk.titles, desk.broker.committed[PLACE]) == (["begun", "waits"], 2)


async def begun(desk):
    """A worker process that has one request under way, which hangs."""
    station = desk.station()
    await desk.webhook()
    desk.reply = lambda request: None
    await desk.events("begun")
    await desk.until(lambda: desk.requests)
    return station


def silence(desk, patch):
    """Nothing can be recorded, and what looks whether it can finds that."""
    patch.setattr(desk.office.appender, "append", fails)
    patch.setattr(desk.office.appender, "probe", fails)


async def test_what_is_read_again_while_it_is_under_way_is_not_committed_before_it_is_recorded(desk):
    """Who comes back finds the record that it had begun: it is done when that is."""
    station = await begun(desk)
    station._let_all_go()
    await desk.reading.leave()
    desk.reading.join()
    await desk.wait(1)
    assert dict(station._unpacking.counts)["second"] == 1
    assert desk.broker.committed == {}
    desk.requests[0].answer(GOOD)
    await desk.until(lambda: desk.waiting == 0)
    await desk.wait(1)
    assert (desk.titles, desk.broker.committed[PLACE]) == (["begun"], 1)


async def test_who_stops_after_it_has_left_finishes_what_it_had_begun(desk):
    """Nobody else is kept from it, and it is not sent twice without need."""
    station = await begun(desk)
    station._let_all_go()
    stopping = asyncio.ensure_future(station.stop(WAIT_S))
    await desk.settle()
    assert not stopping.done()
    desk.requests[0].answer(GOOD)
    assert await stopping == 0


async def test_a_short_time_without_the_ledger_is_waited_for(desk, monkeypatch):
    """Also several of them."""
    desk.station()
    await desk.webhook()
    for _ in range(3):
        with monkeypatch.context() as patch:
            silence(desk, patch)
            desk.office.writer.health.doubt()
            await desk.wait(0)
            await desk.until(lambda: desk.office.writer.health.fault is not None)
            await desk.wait(CUT_OFF_S - 2)
            assert not desk.reading.is_out
        await desk.wait(1)
        await desk.wait(1)
        assert (desk.office.writer.health.fault, desk.reading.is_out) == (None, False)


async def test_a_partition_is_let_go_when_what_was_begun_is_recorded_and_committed(desk):
    """Nothing more of it is begun; what waited is the next one's."""
    station = await begun(desk)
    desk.reading.is_member = False
    await desk.events("waits")
    await desk.settle()
    releasing = asyncio.ensure_future(station.released({PLACE}))
    await desk.settle()
    desk.reading.is_member = True
    await desk.wait(1)
    assert desk.titles == ["begun"]
    assert not releasing.done()
    desk.requests[0].answer(GOOD)
    await desk.until(releasing.done)
    assert desk.broker.committed[PLACE] == 1
    desk.reply = lambda request: GOOD
    desk.reading._seen[PLACE] = 1
    desk.broker._came.set()
    await desk.wait(1)
    assert desk.titles == ["begun", "waits"]
