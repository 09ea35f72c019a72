"""An event that others were faster than twice is matched while nobody else can append, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing

import pytest
from eventsourcing.persistence import OperationalError

from core import intake
from core.errors import LedgerError, OverloadedError
from core.ledger import alone, writer
from core.ledger.postgres.append import LOCK
from core.ledger.postgres.recorder import connect
from core.ledger.queue import Wish
from core.ledger.unit import Entry, Unit
from core.limits import COMMIT_EVENTS_MAX
from core.model.portal_event import Received
from tests.builders import SOURCE, WAIT_S, Books, create_webhook, open_office, sent, stream
from tests.matching.history import everything, same_for_all
from tests.matching.processes import overtaken, somebody
from tests.postgres import cut, drop, new_database

ENTRY = {"type": "file.moved", "readers": ["role:user"]}


@pytest.fixture(name="database")
def _database():
    database = new_database()
    yield database
    drop(database)


@pytest.fixture(name="others")
def _others(database):
    """Another process, which appends whatever the test likes."""
    with Books(database) as others:
        yield others


@pytest.fixture(name="office")
async def _office(tmp_path, database):
    office = open_office(tmp_path, database=database)
    await office.start()
    yield office
    await office.close()


def when_alone(office, before=lambda: None, meanwhile=lambda: None):
    """Have something happen just before the lock is taken, and while it is held; in a thread, as the lock."""
    append_alone = office.appender.append_alone

    def also(make, now_ms):
        def making(missed):
            units = make(missed)
            meanwhile()
            return units

        before()
        return append_alone(making, now_ms)

    office.appender.append_alone = also


@asynccontextmanager
async def long_look(office, wishes=1):
    """The office looks what others have recorded, and goes on doing so until so many want to be alone."""
    await office.hearing.stop()
    loop, go_on = asyncio.get_running_loop(), threading.Event()
    look, is_looking = office.appender.look, asyncio.Event()
    submit, submitted = office.writer.submit_alone, asyncio.Semaphore(0)

    def looks_long():
        loop.call_soon_threadsafe(is_looking.set)
        assert go_on.wait(WAIT_S)
        return look()

    def noticed(*wish):
        submit(*wish)
        submitted.release()

    office.appender.look, office.writer.submit_alone = looks_long, noticed
    office.writer.look()
    await asyncio.wait_for(is_looking.wait(), WAIT_S)
    yield
    for _ in range(wishes):
        await asyncio.wait_for(submitted.acquire(), WAIT_S)
    office.appender.look, office.writer.submit_alone = look, submit
    go_on.set()


async def accept(office, *events):
    return await asyncio.wait_for(office.intake.accept("1", sent(*events), SOURCE), WAIT_S)


async def test_who_was_refused_twice_is_matched_alone(office, others):
    """However often the directory changes before each commit: and what others recorded last, before the lock was taken,
    is matched on, too."""
    overtaken(office, others)
    when_alone(office, before=lambda: others.append(Unit([Entry(stream(999), 1, create_webhook())])))
    results = await accept(office, *[{"id": f"{number}", **ENTRY} for number in range(5)])
    (number,) = office.directory.by_number
    assert [same_for_all(office)[result.position] for result in results] == [{number}] * 5
    assert office.tally.matched_again == 2 * 5
    assert office.writer.commits_alone == 1


async def test_who_is_not_refused_twice_waits_for_nobody(office, others):
    """The lock is taken first only where it must be."""
    overtaken(office, others, times=2)
    await accept(office, ENTRY)
    await accept(office, {"id": "later", **ENTRY})
    assert office.writer.commits_alone == 1
    assert office.tally.matched_again == 2


async def test_nobody_appends_meanwhile(office, others):
    """A process that wants to while the event is matched, on what others did before, has to wait until it is recorded;
    with the next look, what it did is known."""
    overtaken(office, others)
    thread = ThreadPoolExecutor(1)
    wanted = []
    waits = "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND NOT granted"

    def want():
        wanted.append(thread.submit(others.append, somebody()))
        deadline = time.monotonic() + WAIT_S
        while others.rows(waits) == [(0,)]:
            assert time.monotonic() < deadline

    when_alone(office, meanwhile=want)
    (result,) = await accept(office, ENTRY)
    (position,) = wanted[0].result(WAIT_S)
    thread.shutdown()
    assert position == result.position + 1
    same_for_all(office)


async def test_it_goes_ahead_of_what_waits_here(office, others):
    """What was matched meanwhile in the same process, and has taught it something, comes after it, and has taught
    nothing yet."""
    made = await office.webhooks.create(tenant="1", name="any", url="http://h/", owner="uwe", by=None)
    overtaken(office, others, times=2)
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def stand_still():
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(WAIT_S)

    when_alone(office, before=stand_still)
    submitted, submit = asyncio.Event(), office.writer.submit

    def noticed(units, on_answers):
        submit(units, on_answers)
        submitted.set()

    first = asyncio.create_task(accept(office, {"id": "first", **ENTRY}))
    await asyncio.wait_for(begun.wait(), WAIT_S)
    office.writer.submit = noticed
    learns = {"id": "uwe", "type": "user.created", "data": {"id": "uwe"}}
    second = asyncio.create_task(accept(office, learns, {"id": "second", **ENTRY}))
    await asyncio.wait_for(submitted.wait(), WAIT_S)
    go_on.set()
    (early,), (user, late) = await first, await second
    assert early.position < user.position < late.position
    recorded = same_for_all(office)
    assert recorded[early.position] == set()
    assert recorded[late.position] == {made.webhook.number}
    assert office.writer.commits_alone == 1
    assert office.tally.matched_again == 2


@pytest.mark.parametrize("room", [COMMIT_EVENTS_MAX, 1])
async def test_several_share_one_lock(room, office, monkeypatch):
    """Each is matched on what those before it have taught, and nothing on what is known already, be it since the last
    event of the same commit. What has no room in a commit gets the next."""
    made = await office.webhooks.create(tenant="1", name="any", url="http://h/", owner="uwe", by=None)
    monkeypatch.setattr(writer, "COMMIT_EVENTS_MAX", room)
    monkeypatch.setattr(intake, "REFUSALS_MAX", 0)

    def becomes(role, id):
        return {"id": id, "type": "user.updated", "data": {"id": "uwe", "role": role}}

    await accept(office, becomes("user", "old"))
    async with long_look(office, wishes=2):
        asked = [[becomes("admin", "old"), becomes("guest", "a"), becomes("user", "a"), {"id": "b", **ENTRY}]]
        asked.append([becomes("user", "c"), becomes("guest", "a"), {"id": "d", **ENTRY}])
        calls = asyncio.gather(*[accept(office, *events) for events in asked])
    answers = [answer for answers in await calls for answer in answers]
    assert [answer.id for answer in answers if answer.is_duplicate] == ["old", "a", "a"]
    recorded = same_for_all(office)
    assert {answer.id: recorded[answer.position] for answer in answers if answer.id in "bd"} == {
        "b": set(),
        "d": {made.webhook.number},
    }
    assert office.tally.matched_again == 0


async def test_what_a_look_has_found_is_known_before(office, others):
    """The lock is not taken before that is in the directory: what is found under it comes later in the ledger."""
    known = []
    when_alone(office, before=lambda: known.extend(office.directory.by_number))
    answered = asyncio.get_running_loop().create_future()
    async with long_look(office):
        others.append(Unit([Entry(stream(999), 1, create_webhook())]))
        office.writer.submit_alone([], lambda _taken: [somebody()], answered.set_result)
    (position,) = await asyncio.wait_for(answered, WAIT_S)
    assert known == [position - 1]


async def test_settling_waits_for_what_is_alone(office, others):
    """Nothing is closed under it."""
    go_on, order = threading.Event(), []
    when_alone(office, before=lambda: go_on.wait(WAIT_S))
    office.writer.submit_alone([], lambda _taken: [somebody()], order.append)
    settling = asyncio.create_task(office.writer.settle())
    settling.add_done_callback(lambda _: order.append("settled"))
    asyncio.get_running_loop().call_soon(go_on.set)
    await asyncio.wait_for(settling, WAIT_S)
    assert [type(each) for each in order] == [list, str]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_who_cannot_append_is_told_to_come_again(when, office, others, database):
    """Without the lock, or after it was matched: nothing was kept then, and what it would have taught is forgotten."""
    overtaken(office, others)
    office.appender._connection.execute("SET lock_timeout = 50")
    learns = {"id": "uwe", "type": "user.created", "data": {"id": "uwe"}}
    with closing(connect(*database)) as holder:

        def fails():
            if when == "meanwhile":
                raise OperationalError("no more")
            holder.execute(LOCK)

        when_alone(office, **{when: fails})
        with pytest.raises(OverloadedError, match="nothing was kept"):
            await accept(office, learns)
    assert office.directory.tenant("1").people.person("uwe") is None
    assert office.directory.condition("1") == office.appender.condition("1")
    assert all(type(each.event) is not Received for each in everything(others.reader))


async def test_a_loop_that_does_not_turn_makes_nothing(office, monkeypatch):
    """The thread that has the lock does not wait for it for ever, and later nothing is made, either."""
    monkeypatch.setattr(alone, "MAKE_S", 0.01)
    begun = []
    units = alone.Alone([Wish([], begun.append, begun.append)], begun.append, office.appender.claims, 1)
    with ThreadPoolExecutor(1) as thread, pytest.raises(LedgerError, match="too busy"):
        thread.submit(units.made, ()).result(WAIT_S)
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    await turned.wait()
    assert begun == []


async def test_a_connection_that_is_cut_with_the_lock_costs_nothing(office, others, database):
    """It is asked again, on what others did meanwhile, and recorded once."""
    overtaken(office, others)
    cuts = iter(range(2))

    def lose_it():
        if next(cuts, None) is not None:
            cut(database)
            others.append(somebody())

    when_alone(office, meanwhile=lose_it)
    (result,) = await accept(office, ENTRY)
    assert office.writer.commits_alone == 3
    assert [each.position for each in everything(office.reader) if type(each.event) is Received] == [result.position]
    same_for_all(office)
