"""Several real processes on one database: whatever becomes of the leader, deliveries go on, and nothing is sent twice
that need not be."""

from __future__ import annotations

import asyncio
import os
import signal

import psycopg

from core.limits import LIST_MAX
from tests.end_to_end.place import DEADLINE_S

CUT_S = 5.0
"""So long somebody ends all connections of the leader, again and again."""
CUT = "SELECT pg_terminate_backend(pid), pg_sleep(0.01) FROM pg_stat_activity WHERE application_name = %s"


async def test_a_leader_that_is_told_to_stop_hands_over_at_once(crew, tell):
    """It finishes what it has begun, while the other one goes on; no receiver is asked twice, and nothing waits for a
    mark."""
    leader = await crew.begin()
    crew.box.held["slow"] = asyncio.Event()
    await crew.publish("slow", *(f"before {n}" for n in range(50)))
    await crew.box.came("slow")
    process = crew.serving[leader].process
    process.terminate()
    await crew.goes_on("after SIGTERM", tell)
    await crew.box.came(*crew.titles)
    assert process.returncode is None
    assert await crew.leader(but=leader) != leader
    crew.box.held["slow"].set()
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err
    assert b"were finished, 0 cut off" in out
    assert b"Traceback" not in err
    await crew.ends_well()


async def test_what_a_killed_leader_had_under_way_is_sent_again_when_its_mark_is_over(crew, tell):
    """And nothing else is held up by it."""
    leader = await crew.begin()
    crew.box.held["under way"] = asyncio.Event()
    await crew.publish("under way")
    await crew.box.came("under way")
    crew.serving[leader].process.kill()
    # A mark runs 40 s.
    crew.tell("UPDATE marks SET until = clock_timestamp() + interval '8 s'")
    await crew.goes_on("after SIGKILL", tell)
    assert crew.box.times("under way") == 1
    crew.box.held["under way"].set()
    tell(f"what was under way came again {await crew.box.came('under way', times=2):.1f} s later")
    await crew.ends_well("under way")


async def test_a_leader_that_stood_still_records_what_it_had_under_way(crew, tell):
    """The other one leads meanwhile, and leaves alone what was marked; nobody is asked twice."""
    leader = await crew.begin()
    crew.box.held["under way"] = asyncio.Event()
    await crew.publish("under way")
    await crew.box.came("under way")
    process = crew.serving[leader].process
    process.send_signal(signal.SIGSTOP)
    try:
        crew.box.held["under way"].set()
        await crew.goes_on("after SIGSTOP", tell)
        assert await crew.leader(but=leader) != leader
    finally:
        process.send_signal(signal.SIGCONT)
    await crew.publish("after SIGCONT")
    await crew.ends_well()


async def test_a_leader_whose_connections_are_cut_again_and_again(crew, tell):
    """It loses its session and perhaps its term; what it has sent is recorded, and not sent again."""
    leader = await crew.begin()
    name = f"{crew.database.schema}_{leader}"
    cuts = 0

    def cut() -> None:
        nonlocal cuts
        with psycopg.connect(crew.database.url, autocommit=True) as connection:
            until = os.times().elapsed + CUT_S
            while os.times().elapsed < until:
                cuts += len(connection.execute(CUT, (name,)).fetchall())

    cutting = asyncio.create_task(asyncio.to_thread(cut))
    number = 0
    # Not more than one list shows.
    while not cutting.done() and number < LIST_MAX - 10:
        number += 1
        await crew.publish(f"meanwhile {number}")
        await asyncio.wait({cutting}, timeout=0.02)
    await cutting
    tell(f"{cuts} connections cut while {number} events were published")
    assert cuts > 10
    await crew.goes_on("after the cuts", tell)
    await crew.ends_well()


async def test_a_leader_that_is_cut_off_records_later_what_it_had_under_way(crew, tmp_path_factory, tell):
    """What a receiver has answered is not lost with the term: it is offered until the ledger has it, and as long as it
    is marked nobody else asks that receiver."""
    directories = {name: tmp_path_factory.mktemp("w") for name in ("one", "two")}
    for name, directory in directories.items():
        crew.connect(name, directory)
    leader = await crew.begin()
    crew.box.held["under way"] = asyncio.Event()
    await crew.publish("under way")
    await crew.box.came("under way")
    crew.cut_off(leader)
    await crew.goes_on("after the cut", tell)
    # By then it knows that nobody answers, and does not wait for an answer.
    await crew.serving[leader].logs("the ledger cannot write")
    crew.box.held["under way"].set()
    await crew.publish("meanwhile")
    await crew.box.came("meanwhile")
    crew.connect(leader, directories[leader])
    await crew.ends_well()


async def test_a_leader_that_gets_no_answer_of_the_database_ends_when_it_is_told_to(crew, tmp_path_factory, tell):
    """Where a network drops what is sent, threads wait for answers that never come: a stop does not wait for them."""
    for name in ("one", "two"):
        crew.connect(name, tmp_path_factory.mktemp("w"))
        crew.place(name).environment["HOOKLEDGER_STOP_S"] = "1"
    leader = await crew.begin()
    await crew.ends_well()
    crew.wires[leader].flows.clear()
    await crew.goes_on("after silence", tell)
    process = crew.serving[leader].process
    process.terminate()
    async with asyncio.timeout(2 * DEADLINE_S):
        _, err = await process.communicate()
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    await crew.ends_well()
