"""A follower brings its view to the ledger's head, from memory or disk, and never past what it could not write."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from core.ledger import follow
from core.ledger.follow import RETRY_MS
from core.ledger.tail import Tail
from core.ledger.unit import Body, Unit
from core.limits import FOLD_MS
from tests.builders import neutral
from tests.views.house import Hesitant
from tests.views.seen import Seen

NO_READER = None
"""For a follower that finds everything in memory: it would fail if it asked the disk."""


@pytest.fixture(autouse=True)
async def _deadline():
    async with asyncio.timeout(20):
        yield


async def test_what_was_recorded_before_is_read_from_disk(any_house):
    """A follower that starts behind gathers all of the ledger before it is started, and writes it."""
    any_house.record_before(5_000)
    follower = any_house.follower()
    await follower.start()
    assert follower.taken == 5_000
    await follower.reach(5_000)
    assert any_house.seen() == list(range(1, 5_001))


async def test_what_is_in_the_tail_is_not_read_again(house):
    """A follower that begins after a commit of this process takes it from memory."""
    await house.record(3)
    await house.record(4)
    follower = house.follower(reader=NO_READER)
    await follower.start()
    await follower.reach(7)
    assert house.seen() == [1, 2, 3, 4, 5, 6, 7]


async def test_new_events_are_gathered_for_a_while_and_written_at_once(any_house):
    """Commits of a quarter of a second become one batch; until then there are no rows of them."""
    view = Seen()
    follower = any_house.follower(view, reader=NO_READER)
    await follower.start()
    await any_house.record(2)
    await any_house.record()
    assert (view.taken, view.batches, any_house.seen()) == ([1, 2, 3], [], [])
    any_house.clock.turn_to(any_house.clock.now_ms() + FOLD_MS)
    await follower.flush()
    assert (view.batches, any_house.seen()) == ([[1, 2, 3]], [1, 2, 3])


async def test_bodies_come_with_events_from_memory(house):
    """Events of this process come with what stands beside them, by position."""
    view = Seen()
    house.follower(view)
    body = Body(0, b"salt", b"sent", b"shaped")
    await house.writer.append([Unit([neutral(1)]), Unit([neutral(2)], bodies=(body,))])
    assert view.bodies == {2: body}


async def test_reach_answers_when_the_rows_are_there(any_house):
    """Who waits for a position does not wait for the quarter of a second, and finds its rows."""
    follower = any_house.follower()
    waiting = asyncio.create_task(follower.reach(2))
    await any_house.record()
    await follower.reach(1)
    assert any_house.seen() == [1]
    assert not waiting.done()
    await any_house.record()
    await waiting
    assert any_house.seen() == [1, 2]
    await follower.reach(1)


async def test_a_gap_is_filled_from_disk(house):
    """A commit that does not follow on what the view has seen is not taken before what lies between."""
    house.writer.tail = Tail(events_max=1)
    house.books.append(*house.units(3))
    view = Seen()
    follower = house.follower(view)
    await house.record()
    await house.until(lambda: follower.taken == 4)
    await house.record()
    await follower.reach(5)
    assert view.taken == [1, 2, 3, 4, 5]


async def test_a_start_in_the_midst_of_catching_up_takes_nothing_twice(house):
    """A commit before the start makes a follower catch up; the start waits for that, and does not do it again."""
    house.record_before(3)
    view = Seen()
    follower = house.follower(view)
    await house.record()
    await follower.start()
    await follower.flush()
    assert view.taken == [1, 2, 3, 4]


async def test_who_lost_the_view_to_another_stands_by(house):
    """Of two who follow one view, the one whose write comes second writes nothing, and says that it stands by."""
    follower = house.follower()
    await house.record(2)
    house.views.writing.execute("UPDATE tracking SET position=1 WHERE view='seen/1'")
    waiting = asyncio.create_task(follower.reach(3))
    await follower.flush()
    assert follower.stands_by
    # Whoever waits is not left waiting.
    await waiting
    assert house.seen() == []
    assert house.views.rows("SELECT position FROM tracking") == [(1,)]
    await follower.reach(2)
    await house.record()
    await house.until(lambda: house.clock.next_alarm() is None)
    assert house.seen() == []


async def test_a_batch_that_the_disk_refuses_is_written_later(any_house):
    """When the disk does not take a batch nothing of it stays, and the same batch is written a second later."""
    view = Seen(sqlite3.OperationalError("disk I/O error"), sqlite3.OperationalError("database or disk is full"))
    follower = any_house.follower(view)
    await any_house.record(2)
    flushing = asyncio.create_task(follower.flush())
    await any_house.until(lambda: follower.fault is not None)
    assert any_house.seen() == []
    await any_house.record()
    began = any_house.clock.now_ms()
    await any_house.until(flushing.done)
    assert any_house.clock.now_ms() - began >= RETRY_MS
    await follower.flush()
    assert (view.batches, any_house.seen(), follower.fault) == ([[1, 2], [3]], [1, 2, 3], None)


async def test_what_a_view_cannot_write_is_not_left_out(any_house):
    """A batch that a view itself cannot write stops it: later events are not written as if that one had been."""
    follower = any_house.follower(Seen(KeyError("a bug")))
    await any_house.record()
    await follower.flush()
    assert follower.stands_by
    assert follower.fault == "KeyError: 'a bug'"
    await any_house.record()
    await follower.reach(2)
    assert any_house.seen() == []
    assert any_house.views.rows("SELECT position FROM tracking") == [(0,)]


async def test_a_stop_does_not_wait_for_a_broken_disk(house):
    """Who stops gives up what the disk does not take; the next start reads it from the ledger."""
    view = Seen(*[sqlite3.OperationalError("disk I/O error")] * 9)
    follower = house.follower(view)
    await house.record(2)
    flushing = asyncio.create_task(follower.flush())
    await house.until(lambda: follower.fault is not None)
    await follower.stop()
    await flushing
    house.writer = house.new_writer()
    again = house.follower()
    await again.start()
    await again.stop()
    assert house.seen() == [1, 2]


async def test_a_view_that_cannot_be_written_does_not_fill_the_memory(house, monkeypatch):
    """Beyond a limit events are no longer gathered for a disk that takes none, but read from the ledger later."""
    monkeypatch.setattr(follow, "FOLD_EVENTS_MAX", 2)
    monkeypatch.setattr(follow, "GATHERED_EVENTS_MAX", 4)
    view = Seen(sqlite3.OperationalError("disk I/O error"))
    follower = house.follower(view)
    for _ in range(20):
        await house.record()
    assert view.batches == []
    assert len(view.taken) <= 2 + 4
    await house.until(lambda: follower.written == 20)
    assert view.taken == house.seen() == list(range(1, 21))


async def test_a_ledger_that_cannot_be_read_is_read_later(house):
    """A disk that does not answer for a moment delays a start, and leaves nothing out."""
    house.record_before(3)
    hesitant = Hesitant(house.books, faults=2)
    follower = house.follower(reader=hesitant)
    starting = asyncio.create_task(follower.start())
    await house.until(starting.done)
    await follower.flush()
    assert house.seen() == [1, 2, 3]
