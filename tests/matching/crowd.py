"""Real processes on one PostgreSQL, each with an office of its own: who is who changes all the time, and webhooks do.

`python -m tests.matching.crowd EVENTS [PROCESSES]` plays it as large as one likes, and says what happened.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple, get_args

from core.errors import ConflictError, NotFoundError
from core.incoming import events_of
from core.ledger.unit import Unit
from core.log import ROOT as ROOT_LOG
from core.model import person, webhook
from core.model.portal_event import Received
from core.webhook_fields import Fields
from tests.builders import SOURCE, Books, open_office, our_plugins, sent
from tests.matching.history import (
    everything,
    persons,
    recorded_hearers,
    replayed_hearers,
    told_plainly,
    who_is_who,
)
from tests.matching.portal import Portal
from tests.matching.processes import Shy, overtaken, refuses
from tests.oracle import listen
from tests.postgres import Database, drop, new_database, version
from tests.tidy.tree import ROOT

TENANTS = ("1", "acme")
CALLS = 3
"""Requests that a portal has under way at each process, at most."""
STRANGERS = 200
"""Persons of each tenant that only become something else, all the time, and own nothing."""
LONG = 100
"""Events in a request that takes so long to match that others are always faster."""
WEBHOOKS = 10
"""Of each tenant, more or less."""


class Told(NamedTuple):
    """What one process says in the end."""

    events: int
    """That it was sent."""
    refused: int
    """Those of them that were matched again, each time counted."""
    alone: int
    """How often it took the ledger's lock first."""
    longest_ms: int
    """From an event's coming to its answer."""
    took_ms: int
    """From its first event to its last answer."""
    people: list[object]
    """Who is who, as it has it when all have come to their end."""


class Crowded(Portal):
    """A portal that also sends to other processes: now and then what it has sent there comes here as well."""

    def __init__(self, random, tenant, clock, number, processes):
        super().__init__(random, tenant, clock, [])
        self._number, self._processes = number, processes

    def id(self):
        sender, number = self._number, len(self._sent)
        if self.random.random() < 0.1:
            sender, number = self.random.randrange(self._processes), max(number - self.random.randint(1, 20), 0)
        return f"{sender}/{number}"

    def batch(self):
        count = LONG if self.random.random() < 0.05 else self.random.randint(1, 8)
        strangers = [self.dated(self.stranger()) for _ in range(count)]
        return json.dumps([*json.loads(super().batch()), *strangers]).encode()

    def stranger(self):
        """Somebody who becomes something else."""
        data = {"id": f"s{self.random.randrange(STRANGERS)}", "role": self.random.choice(["user", "guest"])}
        return {"type": "user.updated", "data": data}


class Publisher:
    """What one process does: publishes, and changes webhooks, its own and others'."""

    def __init__(self, office, number, processes, events):
        self.office, self.random = office, Random(number)
        self.left, self.longest_s = events, 0.0
        self.portals = [Crowded(self.random, tenant, office.clock, number, processes) for tenant in TENANTS]

    async def run(self):
        async with asyncio.TaskGroup() as tasks:
            for portal in self.portals * CALLS:
                tasks.create_task(self._publish(portal))

    async def _publish(self, portal):
        time = asyncio.get_running_loop().time
        while self.left > 0:
            events = events_of(portal.batch(), portal.tenant)
            self.left -= len(events)
            begun = time()
            answers = await self.office.intake.accept(portal.tenant, events, SOURCE)
            self.longest_s = max(self.longest_s, time() - begun)
            assert len(answers) == len(events)
            if self.random.random() < 0.2:
                with suppress(ConflictError, NotFoundError):  # another process was faster
                    await self._configure(portal)

    async def _configure(self, portal):
        webhooks, random = self.office.webhooks, self.random
        known = webhooks.all(portal.tenant)
        if len(known) < WEBHOOKS:
            await webhooks.create(**portal.webhook(), by=None)
            return
        number = random.choice(known).number
        match random.randrange(4):
            case 0:
                await webhooks.delete(number, by=None)
            case 1:
                wish = portal.webhook()
                await webhooks.change(number, Fields(triggers=wish["triggers"], target=wish["target"]), by=None)
            case _:
                await webhooks.switch(number, enabled=random.random() < 0.6, by=None)


async def publish(database: Database, data: Path, number: int, processes: int, events: int) -> None:
    """One process: begins, and ends, when all others do."""
    logging.getLogger(ROOT_LOG).setLevel(logging.ERROR)
    office = opened(data, database)
    await office.start()
    publisher = Publisher(office, number, processes, events)
    loop = asyncio.get_running_loop()
    ready()
    begun = loop.time()
    await publisher.run()
    took_s = loop.time() - begun
    ready()
    # What the others have recorded last.
    await office.writer.append([Unit([])])
    told = Told(
        events - publisher.left,
        office.tally.matched_again,
        office.writer.commits_alone,
        round(publisher.longest_s * 1_000),
        round(took_s * 1_000),
        as_json(persons(office.directory)),
    )
    print(json.dumps(told), flush=True)
    await office.close()


def ready():
    """Say so, and wait for the others."""
    print("ready", flush=True)
    assert sys.stdin.readline() == "go on\n"


def opened(data, database):
    """An office with real clocks and alarms."""
    return open_office(data, database=database, clock=None, alarms=None, plugins=our_plugins(shy=Shy()))


def as_json(people):
    return sorted([tenant, id, role, status, sorted(groups)] for (tenant, id), (role, status, groups) in people.items())


def play(database: Database, place: Path, events: int, processes: int) -> list[Told]:
    """Let so many processes publish so many events in all, at once; what each of them says."""
    crowd = []
    for number in range(processes):
        data = place / f"{number}"
        data.mkdir()
        command = [sys.executable, "-m", "tests.matching.crowd", "publish", *database, data, number, processes]
        command = [*map(str, command), str(events // processes)]
        crowd.append(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    try:
        for _ in ("to begin", "to end"):
            for process in crowd:
                assert process.stdout.readline() == "ready\n", f"process {process.args[-3]} has failed"
            for process in crowd:
                process.stdin.write("go on\n")
                process.stdin.flush()
        told = [Told(*json.loads(process.stdout.readline())) for process in crowd]
    finally:
        for process in crowd:
            process.communicate(timeout=60)
    assert [process.returncode for process in crowd] == [0] * processes
    return told


def check(database: Database, crowd: list[Told]) -> str:
    """What was recorded is what the oracle says, and a replay, and all know the same people; one line of it."""
    with Books(database) as books:
        recorded = recorded_hearers(books.reader)
        heard, portals = listen(told_plainly(books.reader), [refuses])
        assert recorded == heard
        replayed, directory = replayed_hearers(books.reader, our_plugins(shy=Shy()))
        assert recorded == replayed
        assert who_is_who(portals) == persons(directory)
        for told in crowd:
            assert told.people == as_json(persons(directory))
        kinds = [type(each.event) for each in everything(books.reader)]
    changes = sum(kind in (person.Set, person.Removed) for kind in kinds)
    webhooks = sum(kind in get_args(webhook.WebhookEvent) for kind in kinds)
    took_s = max(told.took_ms for told in crowd) / 1_000
    return (
        f"{len(crowd)} processes on PostgreSQL {version()}: {sum(told.events for told in crowd):,} events sent, "
        f"{kinds.count(Received):,} recorded in {took_s:.1f} s, {sum(map(len, recorded.values())):,} deliveries, "
        f"{changes:,} changes of persons ({changes / took_s:,.0f}/s), {webhooks:,} of webhooks; "
        f"refused {sum(told.refused for told in crowd):,} times, the lock taken first "
        f"{sum(told.alone for told in crowd):,} times; the longest wait was "
        f"{max(told.longest_ms for told in crowd):,} ms; live = replayed = oracle"
    )


async def stand(database: Database, data: Path) -> None:
    """One process that stands still when it has the lock, and goes on when somebody says so; what it was answered."""
    office = open_office(data, database=database)
    await office.start()
    match, is_new = office.intake._match, iter([True])

    def standing(*given):
        matched = match(*given)
        if office.writer.commits_alone and next(is_new, False):
            print("held", flush=True)
            sys.stdin.readline()
        return matched

    office.intake._match = standing
    with Books(database) as others:
        overtaken(office, others)
        answers = await office.intake.accept("1", sent({"type": "file.moved"}), SOURCE)
        print(json.dumps([answer.position for answer in answers]), flush=True)
        await office.close()


def main(what: str, *more: str) -> None:
    """A part of it, or all."""
    if what in {"publish", "stand"}:
        url, schema, data, *numbers = more
        play_part = {"publish": publish, "stand": stand}[what]
        asyncio.run(play_part(Database(url, schema), Path(data), *map(int, numbers)))
        return
    database = new_database()
    with tempfile.TemporaryDirectory() as place:
        crowd = play(database, Path(place), int(what), int(more[0]) if more else 3)
    print(check(database, crowd))
    drop(database)


if __name__ == "__main__":
    main(*sys.argv[1:])
