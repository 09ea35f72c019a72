"""Roles as processes of their own, with Kafka between them: what is handed out is attempted by whoever has its part."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from tests.brokers.reader import DEADLINE_S
from tests.end_to_end.conftest import _crew  # noqa: F401 -- a fixture

TAKEN = 'hookledger_worker_deliveries_total{what="taken"}'
WEBHOOKS = 16
UNDER_WAY = 20
"""Events."""
OVER_S = 10.0
"""So long after a worker joined, or was killed, others have what was to be done."""


@pytest.fixture(name="over")
def _over(crew):
    """A crew over a broker, which has the topic of deliveries."""

    def over(broker, partitions=8):
        topic = broker.new_topic(partitions=partitions)
        crew.words = ("--kafka", broker.address, "--deliveries-topic", topic, "--deliveries-group", f"{topic}-workers")
        return crew

    return over


async def webhooks(crew):
    """So many that all partitions have some."""
    for _ in range(WEBHOOKS - 1):
        await crew.place("api").webhook(crew.box.url)


async def test_a_worker_by_itself_delivers(broker, over):
    """Each delivery once, and its outcome is in the ledger."""
    crew = over(broker)
    await crew.begin(api="api", one="outbox", two="worker")
    await crew.publish(*(f"event {n}" for n in range(200)))
    await crew.ends_well()


async def test_who_joins_has_work_and_nothing_is_attempted_twice(apache, over, tell):
    """While events come in all the time, a second worker takes its part over, and gives it back when it stops."""
    crew = over(apache)
    await crew.begin(api="api", one="outbox", two="worker")
    await webhooks(crew)
    enough = asyncio.Event()
    publishing = asyncio.ensure_future(_publish_on(crew, enough))
    await crew.start(three="worker")
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(DEADLINE_S):
        while not await crew.metric("three", TAKEN):
            pass
    took_s = asyncio.get_running_loop().time() - began
    tell(f"a worker that joined had work {took_s:.1f} s after its process was up")
    assert took_s < OVER_S
    assert await crew.serving["three"].stop() == 0
    await _goes_on(crew)
    enough.set()
    await publishing
    assert await crew.metric("two", 'hookledger_worker_deliveries_total{what="second"}') == 0
    await crew.ends_exactly(times=WEBHOOKS)


async def test_what_a_killed_worker_had_is_attempted_by_another(apache, over, tell):
    """Within seconds: the group notices, and the next one has it from Kafka. What it had under way comes again."""
    crew = over(apache)
    await crew.begin(api="api", one="outbox", two="worker")
    crew.box.held["slow"] = asyncio.Event()
    await crew.publish("slow")
    await crew.box.came("slow")
    await crew.start(three="worker")
    crew.serving["two"].process.kill()
    crew.box.held["slow"].set()
    took_s = await crew.box.came("slow", times=2)
    tell(f"what a killed worker had was attempted by another {took_s:.1f} s later")
    assert took_s < OVER_S
    await crew.goes_on("after the kill", tell)
    await crew.ends_well("slow")


@pytest.mark.parametrize("how", ["cut", "silent"])
async def test_what_a_worker_has_that_is_cut_off_from_the_ledger_is_attempted_by_another(
    apache, over, tmp_path_factory, tell, how
):
    """It leaves its part, which it could not record, and takes one again when the ledger answers it: whether its
    connections end, or nothing comes through them and nobody is told. Meanwhile a commit of it is under way."""
    crew = over(apache)
    directory = tmp_path_factory.mktemp("w")
    crew.connect("two", directory)
    await crew.begin(api="api", one="outbox", two="worker", three="worker")
    await webhooks(crew)
    await _has_taken(crew, "two")
    await _has_taken(crew, "three")
    if how == "silent":
        crew.wires["two"].flows.clear()
    else:
        crew.cut_off("two")
    began = asyncio.get_running_loop().time()
    # What it is given it still attempts; then it knows that the outcome cannot be recorded.
    await crew.publish("cut off")
    await crew.box.came("cut off", times=WEBHOOKS)
    await crew.serving["two"].logs("deliveries from Kafka are left to others")
    left_s = asyncio.get_running_loop().time() - began
    await crew.publish("after")
    took_s = await crew.box.came("after", times=WEBHOOKS)
    tell(f"{how}: a worker left its part {left_s:.1f} s later, and {took_s:.1f} s after that another had attempted it")
    if how == "silent":
        crew.wires["two"].flows.set()
    else:
        crew.connect("two", directory)
    before = await crew.metric("two", TAKEN)
    await crew.serving["two"].logs("the ledger answers again")
    await _has_taken(crew, "two", more_than=before)
    assert crew.box.times("after") == WEBHOOKS
    await crew.box.came(*crew.titles[1:], times=WEBHOOKS)
    assert crew.came_after_their_outcome() == []


async def _has_taken(crew, name, more_than=0.0):
    """Wait until a worker has its part, which it shows when there is work."""
    async with asyncio.timeout(DEADLINE_S):
        while await crew.metric(name, TAKEN) <= more_than:
            title = f"for {name} {len(crew.titles)}"
            await crew.publish(title)
            await crew.box.came(title, times=WEBHOOKS)


async def test_another_outbox_leaves_alone_what_workers_have(apache, over, tell):
    """Whether the one before was killed or told to stop: a request under way is not made again."""
    crew = over(apache)
    leader = await crew.begin(api="api", one="outbox", two="outbox", three="worker")
    for number in range(2):
        slow = f"slow {number}"
        crew.box.held[slow] = asyncio.Event()
        await crew.publish(slow)
        await crew.box.came(slow)
        process = crew.serving[leader].process
        if number:
            process.kill()
        else:
            process.terminate()
            assert await process.wait() == 0
        other = "two" if leader == "one" else "one"
        await crew.goes_on(f"after the end of outbox {number}", tell)
        assert await crew.leader(but=leader) == other
        crew.box.held[slow].set()
        await crew.start(**{leader: "outbox"})
        leader = other
    await crew.ends_well()


async def test_a_worker_that_stood_still_begins_nothing_that_another_has(apache, over):
    """Its group has given its part to another: what that one has recorded is not sent again."""
    crew = over(apache)
    await crew.begin(api="api", one="outbox", two="worker")
    await webhooks(crew)
    enough = asyncio.Event()
    publishing = asyncio.ensure_future(_publish_on(crew, enough))
    await crew.box.came("on 3", times=WEBHOOKS)
    await crew.start(three="worker")
    async with asyncio.timeout(DEADLINE_S):
        while not await crew.metric("three", TAKEN):
            pass
    crew.stand_still("two")
    await _goes_on(crew)
    crew.move_on("two")
    await _goes_on(crew)
    enough.set()
    await publishing
    await crew.box.came(*crew.titles[1:], times=WEBHOOKS)
    assert crew.came_after_their_outcome() == []


async def _publish_on(crew, until):
    """Events that all webhooks want, one after the other, never more than some of them under way."""
    for number in count():
        if until.is_set():
            return
        await crew.publish(f"on {number}")
        while number >= UNDER_WAY and crew.box.times(f"on {number - UNDER_WAY}") < WEBHOOKS:
            await crew.box.comes()


async def _goes_on(crew):
    """Wait until what is published from now on has come everywhere."""
    last = f"on {len(crew.titles) + UNDER_WAY}"
    async with asyncio.timeout(DEADLINE_S):
        while crew.box.times(last) < WEBHOOKS:
            await crew.box.comes()
