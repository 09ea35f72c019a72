"""A file is fed in its order, in batches, with patience; and nothing but what is on its way is kept."""

from __future__ import annotations

import asyncio
import json

import pytest

import core.feed
from core.errors import HookledgerError, InvalidInputError, OverloadedError
from core.feed import Feed, Outcome, Place
from tests.builders import WAIT_S


class Pieces:
    """A source that gives these pieces, and then waits until it is let end."""

    def __init__(self, *pieces, ends=True):
        self._pieces, self.may_end = list(pieces), asyncio.Event()
        self.reads = 0
        if ends:
            self.may_end.set()

    async def read(self):
        self.reads += 1
        if self._pieces:
            return self._pieces.pop(0)
        await self.may_end.wait()
        return b""


class Taker:
    """Takes what it is sent, and answers when it is told to; what goes wrong on the way is its *faults*, in turn."""

    def __init__(self, under_way_max=2, batch_max=2, faults=(), answers=True):
        self.under_way_max, self.batch_max = under_way_max, batch_max
        self.sent, self.waiting = [], []
        self.took = []
        self._faults, self._answers = list(faults), answers

    def item(self, raw):
        value = json.loads(raw)
        return "no number" if not isinstance(value, int) else value

    async def send(self, items):
        self.sent.append(items)
        fault = self._faults.pop(0) if self._faults else None
        if isinstance(fault, ConnectionError):
            raise fault
        coming = asyncio.get_running_loop().create_future()
        if fault is not None:
            coming.set_exception(fault)
        elif self._answers:
            self._answer(items, coming)
        else:
            self.waiting.append((items, coming))
        return coming

    def answer(self):
        self._answer(*self.waiting.pop(0))

    def _answer(self, items, coming):
        self.took += items
        refused = [(index, "unlucky") for index, item in enumerate(items) if item == 13]
        coming.set_result(Outcome({"accepted": len(items) - len(refused)}, refused))


class Heard:
    """What the teller was told."""

    def __init__(self):
        self.said, self.count, self.read_bytes = [], 0, []
        self.waited = asyncio.Event()

    def refused(self, place, reason):
        self.said.append((place, reason))

    def answered(self, counts, read_bytes):
        self.count += counts.get("accepted", 0)
        self.read_bytes.append(read_bytes)

    def waits(self, reason):
        self.said.append(reason)
        self.waited.set()


async def fed(taker, *pieces):
    heard = Heard()
    async with asyncio.timeout(WAIT_S):
        await Feed(taker, heard).run(Pieces(*pieces))
    return heard


async def until(condition):
    """Let everything run until it has come to something."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            turned = asyncio.Event()
            asyncio.get_running_loop().call_soon(turned.set)
            await turned.wait()


async def test_everything_is_sent_in_order():
    """Whatever the pieces, batches are as full as they may be, and in the order of the file."""
    taker = Taker()
    heard = await fed(taker, b"1\n2\n3", b"\n4\n5", b"6\n7")
    assert taker.sent == [[1, 2], [3, 4], [56, 7]]
    assert (heard.count, heard.said) == (6, [])
    assert heard.read_bytes == sorted(heard.read_bytes)
    assert heard.read_bytes[-1] == 12


async def test_refusals_are_told_in_order_with_their_lines():
    """Those that are not sent, and those that are refused, in their places."""
    heard = await fed(Taker(batch_max=10), b'1\n13\n"x"\n\n4\n13')
    assert heard.said == [(Place(2, None), "unlucky"), (Place(3, None), "no number"), (Place(6, None), "unlucky")]
    heard = await fed(Taker(), b'["x",\n13, "y"]')
    assert [place for place, _ in heard.said] == [Place(1, 1), Place(2, 2), Place(2, 3)]
    heard = await fed(Taker(), b'"a"\n"b"\n"c"\n1')
    assert (len(heard.said), heard.count) == (3, 1)


async def test_no_more_is_read_than_may_be_under_way():
    """While nobody answers, so many batches are sent, and the file is read no further."""
    taker, heard = Taker(answers=False), Heard()
    pieces = Pieces(*[b"1\n2\n"] * 50)
    feeding = asyncio.create_task(Feed(taker, heard).run(pieces))
    await until(lambda: len(taker.sent) == 2)
    await until(lambda: pieces.reads >= 3)
    before = pieces.reads
    taker.answer()
    await until(lambda: len(taker.sent) == 3)
    assert before <= 4
    assert pieces.reads <= before + 1
    while not feeding.done():
        await until(lambda: taker.waiting or feeding.done())
        if taker.waiting:
            taker.answer()
    await feeding
    assert heard.count == 100


async def test_nothing_overtakes_what_has_to_be_sent_again():
    """Whatever else is read meanwhile waits behind it, so that the order stays that of the file."""
    taker = Taker(faults=[None, ConnectionError("gone"), ConnectionError("gone")], under_way_max=3)
    await fed(taker, b"0\n1\n2\n3\n4\n5\n6\n7\n", *[b"%d\n" % number for number in range(8, 20)])
    assert taker.took == list(range(20))


@pytest.mark.parametrize(
    "fault", [ConnectionError("gone"), OverloadedError("full", retry_after_s=0.001)], ids=["away", "full"]
)
async def test_what_was_not_taken_is_sent_again(fault, monkeypatch):
    """A batch that met nobody, or a full house, is sent again until it is taken; nobody is asked twice at once."""
    monkeypatch.setattr(core.feed, "AGAIN_S", 0.001)
    taker = Taker(faults=[None, fault, fault, fault])
    heard = await fed(taker, b"1\n2\n3\n4\n5\n6\n7")
    assert sorted(taker.took) == [1, 2, 3, 4, 5, 6, 7]
    assert len(taker.sent) == 4 + 3
    assert heard.count == 7
    assert set(heard.said) == {str(fault)}


async def test_a_moment_is_not_worth_a_word():
    """Who answers as soon as they are asked once more was hardly away."""
    heard = await fed(Taker(faults=[ConnectionError("gone")]), b"1\n2\n3\n4")
    assert (heard.count, heard.said) == (4, [])


async def test_patience_ends(monkeypatch):
    """Who takes nothing for too long is named, and nothing more is sent."""
    monkeypatch.setattr(core.feed, "AGAIN_S", 0.001)
    monkeypatch.setattr(core.feed, "FEED_PATIENCE_S", 0)
    taker = Taker(faults=[ConnectionError("nobody is there")] * 100)
    with pytest.raises(HookledgerError, match="nobody is there"):
        await fed(taker, b"1\n2\n3\n4\n5\n6\n7")
    assert taker.took == []


async def test_what_is_refused_for_good_ends_it():
    """An error that trying again does not mend is told at once."""
    with pytest.raises(InvalidInputError, match="no such tenant"):
        await fed(Taker(faults=[None, InvalidInputError("no such tenant")]), b"1\n2\n3\n4\n5\n6\n7")


async def test_a_slow_writer_is_not_kept_waiting(monkeypatch):
    """What came is sent after a while, though the batch is not full and the file has not ended."""
    monkeypatch.setattr(core.feed, "FEED_IDLE_S", 0.01)
    taker, heard, pieces = Taker(batch_max=100), Heard(), Pieces(b"1\n2\n", ends=False)
    feeding = asyncio.create_task(Feed(taker, heard).run(pieces))
    await until(lambda: heard.count == 2)
    pieces.may_end.set()
    await feeding
    assert taker.sent == [[1, 2]]


async def test_it_stops_when_what_was_sent_is_answered():
    """Stopping sends nothing more, waits for what is under way, and needs no end of the file."""
    taker, heard = Taker(answers=False), Heard()
    feed = Feed(taker, heard)
    feeding = asyncio.create_task(feed.run(Pieces(b"1\n2\n3\n", ends=False)))
    await until(lambda: taker.waiting)
    feed.stop()
    taker.answer()
    async with asyncio.timeout(WAIT_S):
        await feeding
    assert (heard.count, taker.sent) == (2, [[1, 2]])


async def test_it_stops_while_nobody_answers():
    """Somebody who stops it while it waits need not wait as well."""
    taker, heard = Taker(faults=[ConnectionError("gone")] * 100), Heard()
    feed = Feed(taker, heard)
    feeding = asyncio.create_task(feed.run(Pieces(b"1\n2\n")))
    async with asyncio.timeout(WAIT_S):
        await heard.waited.wait()
        feed.stop()
        with pytest.raises(HookledgerError, match="gone"):
            await feeding


async def test_what_stands_before_a_broken_end_is_taken():
    """An array that breaks off is told when all that came before was answered."""
    taker = Taker(batch_max=100)
    with pytest.raises(HookledgerError, match="ends before its array"):
        await fed(taker, b"[1, 2, 3, 4")
    assert taker.took == [1, 2, 3]
