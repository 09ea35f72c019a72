"""Whatever happens at once, each event is delivered to exactly those who listened at its place in the ledger."""

from __future__ import annotations

import pytest

from core.ledger.unit import StaleDirectory
from tests.builders import open_office, our_plugins
from tests.matching.history import persons, recorded_hearers, replayed_hearers, told_plainly, who_is_who
from tests.matching.processes import Shy, Traffic, counted, refuses
from tests.oracle import listen
from tests.postgres import drop, new_database

REFUSED_MIN = 200


def read_again(data, database=None):
    """What was recorded, what the oracle says, and what a fresh process says; and what both know of people."""
    office = open_office(data, plugins=our_plugins(shy=Shy()), database=database)
    recorded = recorded_hearers(office.reader)
    heard, portals = listen(told_plainly(office.reader), [refuses])
    replayed, directory = replayed_hearers(office.reader, office.plugins)
    return office, recorded, heard, portals, replayed, directory


async def all_the_same(traffic, data, database=None):
    """What was recorded is what the oracle says, and a replay, and what everybody knows of people; one line of it."""
    office, recorded, heard, portals, replayed, directory = read_again(data, database)
    assert recorded == heard
    assert replayed == recorded
    assert who_is_who(portals) == persons(directory)
    for process in traffic.processes:
        assert persons(process.directory) == persons(directory)
    await office.close()
    return counted(traffic, len(recorded), sum(map(len, recorded.values())))


@pytest.mark.parametrize(
    ("seed", "turns_max"), [(1, None), (2, 3), (3, 9), (4, 40)], ids=["threads", "quick disk", "disk", "slow disk"]
)
async def test_live_replayed_and_by_hand_are_the_same(seed, turns_max, tmp_path, tell):
    """What was recorded while everybody talked at once is what plain loops say, and what a replay from 0 says."""
    traffic = Traffic(tmp_path, seed, batches=20, turns_max=turns_max)
    await traffic.run()
    tell(f"seed {seed}: {await all_the_same(traffic, tmp_path)}")
    assert traffic.refused >= REFUSED_MIN


@pytest.mark.parametrize("seed", [1, 2])
async def test_processes_with_a_connection_each_are_the_same_too(seed, tmp_path, tell):
    """Three of them, each with its own directory, on one PostgreSQL, which nobody but the database puts in order."""
    database = new_database()
    traffic = Traffic(tmp_path, seed, batches=20, turns_max=None, database=database)
    await traffic.run()
    tell(f"seed {seed}, three processes on one database: {await all_the_same(traffic, tmp_path, database)}")
    drop(database)
    assert traffic.refused >= REFUSED_MIN


async def test_a_ledger_that_takes_every_condition_for_true_is_caught(tmp_path):
    """The same traffic on a ledger that never answers that the directory is stale: the oracle finds it out."""
    traffic = Traffic(tmp_path, 3, batches=20, turns_max=9, is_lying=True)
    await traffic.run()
    office, recorded, heard, *_ = read_again(tmp_path)
    wrong = [position for position in recorded if recorded[position] != heard[position]]
    await office.close()
    assert len(wrong) > len(recorded) / 100
    assert traffic.counts[StaleDirectory.__name__] == 0
