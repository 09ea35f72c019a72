"""What is matched on changes that are still on their way is matched again when they do not arrive as they were."""

from __future__ import annotations

import asyncio
import sqlite3
from random import Random

import msgspec
import pytest

from core.errors import OverloadedError
from core.ledger.unit import Entry, Unit
from tests.builders import SOURCE, WAIT_S, BusyDisk, open_office, sent, set_person
from tests.invented import InventedClock
from tests.matching.history import recorded_hearers, same_for_all, told_plainly
from tests.matching.processes import Process
from tests.oracle import listen

ENTRY = {"type": "file.moved", "readers": ["role:user"]}


@pytest.fixture(name="office")
async def _office(tmp_path):
    office = open_office(tmp_path)
    await office.start()
    yield office
    await office.close()


async def accept(office, *events):
    return await office.intake.accept("1", sent(*events), SOURCE)


async def webhook_of(office, owner):
    made = await office.webhooks.create(tenant="1", name="any", url="http://h/", owner=owner, by=None)
    return made.webhook.number


async def test_what_became_a_duplicate_taught_nothing(office):
    """What was matched behind a user event that the ledger then knows already does not count on it."""
    number = await webhook_of(office, "uwe")
    created = {"id": "once", "type": "user.created", "data": {"id": "uwe"}}
    await accept(office, created)
    again = {**created, "data": {"id": "uwe", "role": "guest"}}
    first, second = await accept(office, again, {"id": "file", **ENTRY})
    assert first.is_duplicate
    assert same_for_all(office)[second.position] == {number}


async def test_a_duplicate_does_not_pass_for_another_change_of_the_same_person(office):
    """Two changes that would give a person's stream the same version are two histories, whichever of them happens."""
    number = await webhook_of(office, "uwe")
    once = {"id": "once", "type": "user.updated", "data": {"id": "uwe", "role": "guest"}}
    await accept(office, once, {"id": "gone", "type": "user.deleted", "data": {"id": "uwe"}})
    uwe = office.directory.tenant("1").people.persons["uwe"]
    became = Unit([Entry(uwe.stream, uwe.version + 1, set_person("uwe", time=office.clock.now_ms(), role="user"))])
    with BusyDisk(office) as disk:
        # As another process would, without holding this one's matcher.
        token = asyncio.create_task(office.writer.append([became]))
        batch = asyncio.create_task(accept(office, once, {"id": "file", **ENTRY}))
        await disk.submitted()
        await disk.submitted()
    await token
    _, answer = await asyncio.wait_for(batch, WAIT_S)
    assert same_for_all(office)[answer.position] == {number}


async def test_a_change_from_elsewhere_does_not_stop_a_tenant(office):
    """A person who becomes known by a token while user events are on their way: all of it is recorded."""
    number = await webhook_of(office, "uwe")
    async with asyncio.timeout(WAIT_S):
        _, (first, second) = await asyncio.gather(
            office.tokens.create(tenant="1", role="user", user="tina", by=None),
            accept(office, {"id": "user", "type": "user.created", "data": {"id": "uwe"}}, {"id": "file", **ENTRY}),
        )
        (third,) = await accept(office, {"id": "later", **ENTRY})
    recorded = same_for_all(office)
    assert [recorded[answer.position] for answer in (first, second, third)] == [set(), {number}, {number}]


async def test_a_command_whose_caller_goes_away_does_not_stop_a_tenant(office):
    """The matcher is let go when a command is given up, and still hears of what it did."""
    with BusyDisk(office) as disk:
        command = asyncio.create_task(webhook_of(office, None))
        await disk.submitted()
        command.cancel()
        events = asyncio.create_task(
            accept(office, {"id": "user", "type": "user.created", "data": {"id": "uwe"}}, {"id": "file", **ENTRY})
        )
        await disk.submitted()
    assert command.cancelled()
    async with asyncio.timeout(WAIT_S):
        first, second = await events
    recorded = same_for_all(office)
    (number,) = office.directory.by_number
    assert recorded[first.position] == recorded[second.position] == {number}


async def test_a_commit_that_fails_takes_along_what_was_matched_on_it(office):
    """What a failed commit would have taught is forgotten, and what counted on it is matched again."""
    number = await webhook_of(office, "uwe")
    await accept(office, {"id": "user", "type": "user.created", "data": {"id": "uwe"}})
    append, failures = office.appender.append, [sqlite3.OperationalError("disk I/O error")]

    def fails_once(units, now_ms):
        if failures:
            raise failures.pop()
        return append(units, now_ms)

    office.appender.append = fails_once
    with BusyDisk(office) as disk:
        to_guest = {"id": "guest", "type": "user.updated", "data": {"id": "uwe", "role": "guest"}}
        lost = asyncio.create_task(accept(office, to_guest))
        await disk.submitted()
        kept = asyncio.create_task(accept(office, {"id": "file", **ENTRY}))
        await disk.submitted()
    with pytest.raises(OverloadedError, match="nothing was kept"):
        await lost
    (answer,) = await asyncio.wait_for(kept, WAIT_S)
    assert same_for_all(office)[answer.position] == {number}
    (answer,) = await accept(office, to_guest)
    assert not answer.is_duplicate


@pytest.mark.parametrize("is_lying", [False, True])
async def test_a_webhook_of_another_process_hears_of_what_was_accepted_after_it(is_lying, office):
    """An event is matched again when another process created a webhook just before it; where the ledger says yes to
    all it is not, and the oracle knows better."""
    other = Process(office, InventedClock(), Random(5))
    other.directory.apply(office.reader.landmarks())
    append = office.appender.append

    def yes_to_all(units, now_ms):
        return append([msgspec.structs.replace(unit, condition=None) for unit in units], now_ms)

    if is_lying:
        office.appender.append = yes_to_all
    made, (answer,) = await asyncio.gather(
        other.webhooks.create(tenant="1", name="any", url="http://h/", by=None), accept(office, {"id": "file", **ENTRY})
    )
    assert answer.position > made.webhook.number
    recorded = recorded_hearers(office.reader)[answer.position]
    assert listen(told_plainly(office.reader))[0][answer.position] == {made.webhook.number}
    assert recorded == (set() if is_lying else {made.webhook.number})
