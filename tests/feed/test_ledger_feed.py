"""All that is recorded of webhooks and deliveries is told, in order, at least once, and nobody waits for it."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import pytest

from core.clock import SystemClock
from core.history import History
from core.ledger.fault import FAULTS
from core.ledger.tail import Tail
from core.ledger.view_store import FED
from core.ledger.views import Views
from core.limits import LEDGER_FED_BYTES_MAX
from core.rebuild import rebuild
from core.seen import Shared
from delivery.kafka.records import Message, Placed, Refused
from delivery.ledger_topic.event import again
from delivery.ledger_topic.feed import RECORD_BYTES
from tests.feed.conftest import Desk


def by_key(messages):
    keys = defaultdict(list)
    for message in messages:
        keys[message.key].append(message)
    return keys


async def test_history_comes_first_and_then_what_is_new(desk):
    """From the first position on, each once; also what was recorded by one feed's time, and told by the next."""
    numbers = [await desk.hook() for _ in range(3)]
    await desk.accept(5)
    first = desk.open()
    await desk.told()
    await desk.deliver()
    await desk.rename(numbers[0], 2)
    await desk.told()
    first.stand_down()
    await desk.accept(5)
    desk.open()
    await desk.told()
    assert desk.topic.log == desk.expected()
    assert len(desk.topic.log) == 3 + 15 + 15 + 1 + 15
    assert sum(feed.records for feed in desk.feeds) == len(desk.topic.log)


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_is_refused_the_order_of_a_key_is_kept(desk, seed):
    """Everything comes; of each key, what came last is always followed by its next, or by some of before again."""
    chance = random.Random(seed)
    bad = set()

    def turn():
        # Of what is sent at once all of a key is there, or nothing is.
        bad.clear()
        bad.update(key for key in keys if chance.random() < 0.4)

    desk.topic.turn, desk.topic.refuses = turn, lambda message: message.key in bad
    numbers = [await desk.hook() for _ in range(4)]
    keys = [b"%d" % number for number in numbers]
    desk.open()
    for step in range(6):
        await desk.accept(chance.randrange(1, 20))
        if chance.random() < 0.5:
            await desk.deliver()
        await desk.rename(numbers[step % 4], 2 + step // 4)
        if chance.random() < 0.5:
            await desk.until(lambda: desk.topic.log)
    await desk.told()
    expected = by_key(desk.expected())
    for key, told in by_key(desk.topic.log).items():
        places = [expected[key].index(message) for message in told]
        assert all(after <= before + 1 for before, after in zip([-1, *places], places, strict=False))
        assert set(places) == set(range(len(expected[key])))


def test_what_is_refused_takes_with_it_what_comes_after():
    """Of its key, and of no other."""
    messages = [Message("t", b"%d" % (n % 3), b"%d" % n) for n in range(9)]
    outcomes = [Refused("why") if n in (4, 8) else Placed(0, n) for n in range(9)]
    assert [message.value for message in again(messages, outcomes)] == [b"4", b"7", b"8"]


async def test_it_is_written_down_only_when_the_topic_has_it(desk):
    """Whoever comes after a process that was killed between the two tells it again, and leaves nothing out."""
    desk.topic.goes_on.clear()
    await desk.hook()
    first = desk.open()
    await desk.until(desk.topic.asked.is_set)
    assert desk.kept() == 0
    desk.topic.goes_on.set()
    loop = asyncio.get_running_loop()
    while not desk.topic.log:
        await loop.run_in_executor(desk.office.viewing, int)
    # It is there, and not written down: as a kill would leave it.
    first.stand_down()
    assert desk.kept() == 0
    await desk.accept(2)
    desk.open()
    await desk.told()
    assert desk.topic.first == desk.expected()
    assert desk.topic.log == [desk.expected()[0], *desk.expected()]


async def test_while_the_topic_takes_nothing_all_else_goes_on(desk):
    """Answers do not wait, the readiness says why, nothing gathers here, and all of it comes in the end."""
    desk.office.writer.tail = Tail(events_max=10)
    await desk.hook()
    feed = desk.open()
    await desk.told()
    desk.topic.refuses = lambda _: True
    await desk.accept(1)
    await desk.until(lambda: feed.fault is not None)
    assert feed.fault == "it is not to be"
    for _ in range(30):
        await desk.accept(20)
    await desk.until(lambda: desk.office.written == desk.office.writer.head)
    await desk.office.reach(desk.office.writer.head)
    lag = {name: value for name, _, value in await feed.samples()}
    assert lag["hookledger_feed_lag_positions"] == desk.office.writer.head - desk.kept() > 1_000
    assert desk.office.writer.tail.after(desk.kept()) is None
    desk.topic.refuses = lambda _: False
    await desk.told()
    assert feed.fault is None
    assert desk.topic.log == desk.expected()
    lag = {name: value for name, _, value in await feed.samples()}
    assert lag["hookledger_feed_lag_positions"] == lag["hookledger_feed_lag_seconds"] == 0


async def test_the_second_of_two_stands_by(desk):
    """Who finds the place moved tells no more."""
    await desk.hook()
    first, second = desk.open(), desk.open()
    await desk.until(lambda: first.records and second.records)
    await desk.until(lambda: "somebody else" in (f"{first.fault} {second.fault}"))
    await desk.accept(3)
    await desk.told()
    assert desk.topic.first == desk.expected()


async def test_a_fault_of_the_views_is_waited_for(desk, monkeypatch):
    """What cannot be written down is written down later, and told once."""
    await desk.hook()
    feed = desk.open()
    await desk.told()
    fails = FAULTS[0]("disk I/O error")

    def write(*_):
        raise fails

    with monkeypatch.context() as broken:
        broken.setattr(Views, "write", write)
        await desk.accept(1)
        await desk.until(lambda: feed.fault is not None)
    await desk.told()
    assert (feed.fault, desk.topic.log) == (None, desk.expected())


async def test_what_is_sent_at_once_is_one_batch(desk):
    """However much there is, no call asks for more than a batch of the client holds."""
    sizes = []
    send = desk.topic.send

    async def noticed(messages):
        sizes.append(sum(len(message.value) + RECORD_BYTES for message in messages))
        return await send(messages)

    desk.topic.send = noticed
    await desk.hook()
    await desk.accept(800)
    desk.open()
    await desk.told()
    assert max(sizes) <= LEDGER_FED_BYTES_MAX
    assert len(sizes) < 10


async def test_views_made_anew_leave_the_place_where_it_is(tmp_path):
    """`rebuild` tells nothing again; a file that was taken away has everything told again."""
    desk = Desk(tmp_path)
    await desk.office.start()
    await desk.hook()
    desk.open()
    await desk.told()
    await desk.close()
    log = desk.topic.log
    reader = open_reader(tmp_path)
    rebuild(reader, tmp_path / "views.sqlite", [History(reader)], SystemClock())
    reader.recorder.close()
    for remove, told in ((False, log), (True, log * 2)):
        if remove:
            (tmp_path / "views.sqlite").unlink()
        desk = Desk(tmp_path)
        desk.topic.log = list(log)
        await desk.office.start()
        desk.open()
        await desk.told()
        assert desk.topic.log == told
        await desk.close()


async def test_a_damaged_file_of_views_is_mended_around_it(desk):
    """Made anew while it is followed, the file has its place too."""
    await desk.hook()
    desk.open()
    await desk.told()
    desk.office.views.damage = "it is said to be"
    await desk.office.mending.done()
    await desk.accept(2)
    await desk.told()
    assert desk.topic.log == desk.expected()


async def test_no_answer_waits_for_it_where_another_process_leads(desk):
    """What was told elsewhere is no view that lists are made of."""

    class Seen:
        def seen(self):
            return {"history/1": 9, "outbox/1": 7, f"{FED}1 webhook.ledger": 2}

    shared = Shared(Seen(), desk.office.reading)
    await shared.reach(7)
    assert shared.seen == 7


def open_reader(path):
    from core.ledger.read import Reader
    from core.ledger.sqlite import SqliteRecorder
    from core.model.topics import Codec

    return Reader(SqliteRecorder(path / "ledger.sqlite"), Codec())
