"""An inbox that stops, or hands partitions over: nothing of it is lost, and another goes on."""

from __future__ import annotations

import asyncio

from core.limits import CUT_OFF_S
from delivery.kafka.records import Partition
from tests.builders import BusyDisk
from tests.inbox.broker import TOPIC
from tests.inbox.conftest import fails, odd, plain


async def test_stopped_in_the_middle_of_a_commit_it_is_finished(post):
    """What is under way is recorded and committed before the inbox is gone."""
    place, _ = post.broker.put(plain("a"))
    with BusyDisk(post.office) as disk:
        inbox = post.open()
        await disk.submitted()
    await inbox.stop()
    assert (post.ids(), post.broker.committed, post.reading.is_closed) == (["a"], {place: 1}, True)


async def test_a_commit_that_does_not_come_is_not_waited_for_without_end(post):
    """Beyond the limit the inbox is gone, and has committed nothing; the next one goes on."""
    place, _ = post.broker.put(plain("a"))
    with BusyDisk(post.office) as disk:
        inbox = post.open()
        await disk.submitted()
        await inbox.stop(0.01)
        assert (post.broker.committed, post.reading.is_closed) == ({}, True)
    post.open()
    await post.done()
    assert (post.ids(), post.broker.committed) == (["a"], {place: 1})


async def test_a_partition_is_handed_over_when_nothing_of_it_is_under_way(post):
    """Then its offset is committed, so that the next member finds no record that was recorded already."""
    place, _ = post.broker.put(plain("a"))
    other = Partition(TOPIC, 5)
    with BusyDisk(post.office) as disk:
        inbox = post.open()
        await disk.submitted()
        await inbox.released({other})
        handing_over = asyncio.create_task(inbox.released({place, other}))
        await inbox.released(set())
        assert not handing_over.done()
    await handing_over
    assert post.broker.committed == {place: 1}
    await inbox.released({place})


async def test_another_goes_on_where_one_had_to_give_up(post, monkeypatch):
    """A ledger that is away is not waited for by who stops; the next inbox finds all of it, and nothing twice."""
    places = {Partition(TOPIC, number): 10 for number in range(3)}
    for number in range(30):
        post.broker.put(plain(f"{number}"), partition=number % 3)
    with monkeypatch.context() as patch:
        patch.setattr(post.office.appender, "append", fails)
        inbox = post.open(records_max=5)
        await post.until(lambda: inbox.fault is not None)
        await inbox.stop()
    assert post.broker.committed == {}
    post.open(records_max=4)
    await post.done()
    assert post.broker.committed == places
    assert sorted(post.ids(), key=int) == [f"{number}" for number in range(30)]


async def test_who_cannot_record_leaves_its_part_to_others_until_it_can(post, monkeypatch):
    """Where the ledger does not answer this process, another may be answered; what both record is there once."""
    place, _ = post.broker.put(plain("a"))
    with monkeypatch.context() as patch:
        patch.setattr(post.office.appender, "append", fails)
        patch.setattr(post.office.appender, "probe", fails)
        inbox = post.open(records_max=1)
        reading = post.reading
        post.broker.put(b"odd")
        await post.until(lambda: inbox.fault is not None)
        before = post.office.clock.now_ms()
        await post.until(lambda: reading.is_out)
        assert post.office.clock.now_ms() - before > (CUT_OFF_S - 1) * 1_000
        # It waits for nothing of what is another's by now, and does nothing of it.
        await inbox.released({place})
        assert (inbox.under_way, "portal events are left to others" in inbox.fault) == (0, True)
        post.broker.put(plain("b"))
    await post.until(lambda: not reading.is_out)
    await post.done()
    assert (post.ids(), len(post.broker.dead), inbox.fault) == (["a", "b"], 1, None)


async def test_a_fault_of_ours_is_nothing_that_others_could_do_better(post, monkeypatch):
    """They would all leave their parts, one after the other."""

    post.broker.put(plain("a"))
    with monkeypatch.context() as patch:
        patch.setattr(post.office.intake, "accept", odd)
        inbox = post.open()
        await post.until(lambda: inbox.fault is not None)
        before = post.office.clock.now_ms()
        await post.until(lambda: post.office.clock.now_ms() > before + 3 * CUT_OFF_S * 1_000)
        assert not post.reading.is_out
    await post.done()
    assert post.ids() == ["a"]


async def test_who_stops_while_nothing_comes_has_stopped(post):
    """An idle inbox waits for nobody."""
    inbox = post.open()
    await inbox.stop()
    assert post.reading.is_closed
