"""Nothing reaches a worker before it is marked, and what cannot be marked is given back."""

from __future__ import annotations

import asyncio

import pytest
from eventsourcing.persistence import OperationalError

from core.limits import MARK_S
from delivery.broker import InProcessBroker
from delivery.marking import AGAIN_MS, MarkingBroker
from delivery.rows import Mark, Row
from tests.builders import WAIT_S
from tests.invented import InventedClock


class PlainTerm:
    """A term as it is said to be, without a database: each mark waits until the test answers it."""

    number = 5
    is_sure = True

    def __init__(self):
        self._asked = asyncio.Queue()

    async def mark(self, attempts, over, for_s):
        assert for_s == MARK_S
        answer = asyncio.get_running_loop().create_future()
        self._asked.put_nowait((list(attempts), list(over), answer))
        return await answer

    async def asked(self):
        """What it is asked to mark next, once it is asked: attempts, what is over, and where to put the answer."""
        return await asyncio.wait_for(self._asked.get(), WAIT_S)

    @property
    def is_asked(self):
        return not self._asked.empty()


class Bench:
    """A broker that marks, what is behind it, and what it gave back."""

    def __init__(self):
        self.term, self.alarms, self.behind = PlainTerm(), InventedClock(), InProcessBroker()
        self.broker = MarkingBroker(self.behind, self.term, self.alarms)
        self.returned = []
        self._changed = asyncio.Event()
        self.broker.on_returned = self._return
        self.behind.on_work = self._changed.set

    def _return(self, row):
        self.returned.append(row.number)
        self._changed.set()

    def put(self, *numbers, attempt=1):
        """Hand out as the dispatch does: these deliveries, which are marked there."""
        rows = [Row(number, 1, b"delivery", b"event", 1, attempt, 0) for number in numbers]
        for row in rows:
            row.is_marked = True
            self.broker.put(row)
        return rows

    async def happens(self):
        """Wait until a row has come through, or back."""
        await asyncio.wait_for(self._changed.wait(), WAIT_S)
        self._changed.clear()

    def taken(self):
        """All that workers can take just now."""
        rows = []
        while (row := self.behind.take_now()) is not None:
            rows.append(row)
        return rows


@pytest.fixture(name="bench")
async def _bench():
    return Bench()


def numbers(rows):
    return [row.number for row in rows]


async def test_nothing_is_taken_before_it_is_marked(bench):
    """What is handed out at once is one mark, and goes on, in its order, when that is committed."""
    bench.put(1, 2)
    bench.put(3, attempt=4)
    attempts, over, answer = await bench.term.asked()
    assert (attempts, over) == ([(1, 1), (2, 1), (3, 4)], [])
    assert bench.taken() == []
    answer.set_result(1)
    await bench.happens()
    assert numbers(bench.taken()) == [1, 2, 3]
    assert bench.returned == []


async def test_who_waits_for_a_row_gets_a_marked_one(bench):
    """A worker that was there before the row gets it no sooner."""
    waiting = asyncio.ensure_future(bench.behind.take())
    (row,) = bench.put(1)
    _, _, answer = await bench.term.asked()
    assert (waiting.done(), row.mark) == (False, None)
    answer.set_result(9)
    assert await asyncio.wait_for(waiting, WAIT_S) is row
    assert row.mark.number == 9


async def test_what_comes_while_a_mark_is_under_way_goes_into_the_next(bench):
    """One mark at a time, and all that came meanwhile in the next one."""
    bench.put(1)
    _, _, first = await bench.term.asked()
    bench.put(2)
    bench.put(3)
    assert not bench.term.is_asked
    first.set_result(1)
    attempts, _, second = await bench.term.asked()
    assert attempts == [(2, 1), (3, 1)]
    assert numbers(bench.taken()) == [1]
    second.set_result(2)
    await bench.happens()
    assert numbers(bench.taken()) == [2, 3]
    bench.put(4)
    attempts, _, _ = await bench.term.asked()
    assert attempts == [(4, 1)]


async def test_a_mark_is_over_with_its_last_row(bench):
    """Whether it was recorded or given back; the next mark says so, once."""
    rows = bench.put(1, 2)
    _, _, answer = await bench.term.asked()
    answer.set_result(1)
    await bench.happens()
    rows[0].mark.leave()
    bench.put(3)
    _, over, answer = await bench.term.asked()
    assert over == []
    answer.set_result(2)
    await bench.happens()
    rows[1].mark.leave()
    bench.put(4)
    _, over, answer = await bench.term.asked()
    assert over == [1]
    answer.set_result(3)
    await bench.happens()
    bench.put(5)
    _, over, _ = await bench.term.asked()
    assert over == []


async def test_what_the_database_does_not_take_is_said_again(bench):
    """In the same words, a moment later and as often as need be; what came meanwhile waits for the next mark."""
    rows = bench.put(1)
    _, _, answer = await bench.term.asked()
    answer.set_result(1)
    await bench.happens()
    assert numbers(bench.taken()) == [1]
    rows[0].mark.leave()
    bench.put(2)
    first = await bench.term.asked()
    assert first[:2] == ([(2, 1)], [1])
    bench.put(3)
    for _ in range(3):
        first[2].set_exception(OperationalError("the connection is closed"))
        while bench.alarms.next_alarm() is None:
            await _turn()
        assert not bench.term.is_asked
        bench.alarms.turn_to(bench.alarms.now_ms() + AGAIN_MS)
        attempts, over, answer = first = await bench.term.asked()
        assert (attempts, over) == ([(2, 1)], [1])
    assert bench.taken() == []
    answer.set_result(2)
    assert (await bench.term.asked())[:2] == ([(3, 1)], [])
    assert numbers(bench.taken()) == [2]


async def _turn():
    """Let what is ready to run have its turn."""
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)


async def test_when_the_term_is_over_all_is_given_back(bench):
    """What was to be marked, what came meanwhile, and what comes later: no worker sees it."""
    bench.put(1, 2)
    _, _, answer = await bench.term.asked()
    bench.put(3)
    answer.set_result(None)
    await bench.happens()
    assert sorted(bench.returned) == [1, 2, 3]
    bench.put(4)
    await bench.happens()
    assert sorted(bench.returned) == [1, 2, 3, 4]
    assert (bench.taken(), bench.term.is_asked) == ([], False)


async def test_closing_gives_back_what_waits(bench):
    """At once where no mark is under way, else with its answer; what is marked by then goes on to a worker, who may
    still make that attempt."""
    bench.broker.close()
    bench.put(1)
    await bench.happens()
    assert bench.returned == [1]
    other = Bench()
    (row,) = other.put(2)
    _, _, answer = await other.term.asked()
    other.put(3)
    other.broker.close()
    answer.set_result(1)
    await other.happens()
    assert (other.returned, numbers(other.taken()), row.mark.number) == ([3], [2], 1)
    assert not other.term.is_asked


async def test_closing_ends_the_wait_for_a_database_that_is_away(bench):
    """It is not said again, and the rows are given back."""
    bench.put(1)
    _, _, answer = await bench.term.asked()
    answer.set_exception(OperationalError("no"))
    while bench.alarms.next_alarm() is None:
        await _turn()
    bench.put(2)
    bench.broker.close()
    bench.alarms.turn_to(bench.alarms.now_ms() + AGAIN_MS)
    await bench.happens()
    assert sorted(bench.returned) == [1, 2]
    assert (bench.taken(), bench.term.is_asked) == ([], False)


async def test_what_ended_while_it_was_marked_is_given_back(bench):
    """Another process has recorded its outcome meanwhile: nobody is asked for nothing, and its mark ends with it."""
    ended, other = bench.put(1, 2)
    _, _, answer = await bench.term.asked()
    ended.is_marked = False
    answer.set_result(1)
    await bench.happens()
    assert (numbers(bench.taken()), bench.returned) == ([2], [1])
    other.mark.leave()
    bench.put(3)
    assert (await bench.term.asked())[1] == [1]


def test_a_mark_is_told_over_once():
    """When the last of its rows has left, and not before."""
    over = []
    mark = Mark(3, 2, over.append)
    mark.leave()
    assert over == []
    mark.leave()
    assert over == [3]
