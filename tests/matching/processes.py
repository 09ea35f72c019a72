"""Several processes on one ledger: each has a directory and a matcher of its own, and hears of the others by it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import Counter
from random import Random

import msgspec

from core.directory import Directory
from core.errors import ConflictError, NotFoundError
from core.hookspecs import hookimpl
from core.incoming import Rejected, events_of
from core.intake import Intake
from core.ledger.unit import Duplicate, Entry, StaleDirectory, StaleStream, Unit
from core.tally import Tally
from core.webhook_fields import Fields
from core.webhooks import Webhooks
from tests.builders import SOURCE, open_office, our_plugins, set_person
from tests.matching.portal import Portal
from tests.matching.turns import Turns

WEBHOOKS_PER_PORTAL = 5
"""At the beginning."""


class Shy:
    """A plugin that lets only admins know of what is hidden."""

    @hookimpl
    def can_see(self, pairs):
        return [not refuses({"role": owner.role}, {"data": event.data}) for owner, event in pairs]


def refuses(owner, sent):
    """The rule of the plugin above, for the oracle."""
    return bool(sent["data"].get("hidden")) and owner["role"] != "admin"


class WanderingClock:
    """Goes on a little each time it is asked, and sometimes back."""

    def __init__(self, random):
        self._random, self._now = random, 1_795_000_000_000

    def monotonic_ms(self):
        return self._now

    def now_ms(self):
        self._now += self._random.choice([0, 1, 7, 300, -20])
        return self._now


class Process:
    """What another process would have of its own: a directory, which follows the ledger, and a matcher."""

    def __init__(self, office, clock, random):
        self.directory, self.writer = Directory(), office.writer
        office.writer.follow(lambda segment: self.directory.apply(segment.events))
        parts = (
            office.plugins,
            office.writer,
            office.reader,
            office.intake._executor,
            clock,
            random.randbytes,
            Tally(),
        )
        self.intake = Intake(self.directory, *parts)
        self.webhooks = Webhooks(
            self.directory, office.plugins, self.intake, office.writer, office.master_key, clock, random.randbytes,
            lambda url, ssl: None,
        )  # fmt: skip


class Traffic:
    """A run: portals publish to all processes at once, and people change webhooks, while the ledger judges.

    *is_lying*: the ledger takes every condition for true. *turns_max*: how many turns of the loop the disk takes at
    most; None: it takes as long as it takes, in threads. *database*: where the ledger is, if it is not in a file; then
    each process is an office of its own, with a connection of its own.
    """

    def __init__(self, data, seed, *, batches, is_lying=False, turns_max=9, database=None):
        self.random = Random(seed)
        self.batches = batches
        self.counts: Counter[str] = Counter()
        clock = WanderingClock(Random(seed))
        self._is_lying = is_lying
        self.offices = [self._open(data, clock, seed, database)]
        self.office = self.offices[0]
        if turns_max is not None:
            self.office.writer._executor = self.office.intake._executor = Turns(self.random, turns_max)
        if database is None:
            self.processes = [self.office, *(Process(self.office, clock, Random(seed + n)) for n in (1, 2))]
        else:
            for number in (1, 2):
                other = data.with_name(f"{data.name}-{number}")
                other.mkdir()
                self.offices.append(self._open(other, clock, seed + number, database))
            self.processes = self.offices
        sent: dict[str, list[str]] = {"1": [], "acme": []}
        self.portals = [Portal(self.random, tenant, clock, sent[tenant]) for tenant in ("1", "1", "acme", "acme")]

    def _open(self, data, clock, seed, database):
        plugins = our_plugins(shy=Shy())
        office = open_office(data, clock=clock, plugins=plugins, random=Random(seed).randbytes, database=database)
        append = office.appender.append

        def judge(units, now_ms):
            if self._is_lying:
                units = [msgspec.structs.replace(unit, condition=None) for unit in units]
            appended = append(units, now_ms)
            self.counts.update(type(answer).__name__ for answer in appended.answers)
            return appended

        office.appender.append = judge
        return office

    @property
    def refused(self):
        return self.counts[StaleDirectory.__name__] + self.counts[StaleStream.__name__]

    @property
    def duplicates(self):
        return self.counts[Duplicate.__name__]

    async def run(self):
        """Let everybody do all they have to do, and close the office."""
        for office in self.offices:
            await office.start()
        for portal in self.portals * WEBHOOKS_PER_PORTAL:
            await self.office.webhooks.create(**portal.webhook(), by=None)
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            for process in self.processes:
                for portal in self.portals:
                    tasks.create_task(self._publish(process, portal))
                for portal in self.portals[1:3]:
                    tasks.create_task(self._configure(process, portal))
                    tasks.create_task(self._import(process, portal))
        for office in self.offices:
            # Whoever has nothing to say still hears of what others said.
            await office.writer.append([Unit([])])
        for office in self.offices:
            await office.close()

    async def _publish(self, process, portal):
        for _ in range(self.batches):
            events = events_of(portal.batch(), portal.tenant)
            self.counts["sent"] += len(events)
            answers = await process.intake.accept(portal.tenant, events, SOURCE)
            assert len(answers) == len(events)
            self.counts["unreadable"] += sum(isinstance(answer, Rejected) for answer in answers)

    async def _configure(self, process, portal):
        numbers = []
        for _ in range(self.batches // 2):
            try:
                if not numbers or self.random.random() < 0.3:
                    made = await process.webhooks.create(**portal.webhook(), by=None)
                    numbers.append(made.webhook.number)
                    continue
                change = self.random.choice([self._switch, self._switch, self._switch, self._change, self._delete])
                await change(process, self.random.choice(numbers), portal)
            except (ConflictError, NotFoundError):
                self.counts["commands refused"] += 1

    async def _switch(self, process, number, _portal):
        await process.webhooks.switch(number, enabled=self.random.random() < 0.6, by=None)

    async def _delete(self, process, number, _portal):
        if self.random.random() < 0.3:
            await process.webhooks.delete(number, by=None)

    async def _change(self, process, number, portal):
        """What a webhook asks for becomes something else."""
        wish = portal.webhook()
        await process.webhooks.change(number, Fields(triggers=wish["triggers"], target=wish["target"]), by=None)

    async def _import(self, process, portal):
        """Somebody tells who is who without a portal event, and without looking at what is on its way."""
        people = process.directory.tenant(portal.tenant).people
        for _ in range(self.batches):
            fact = portal.fact()
            known = people.persons.get(fact.id)
            where = (self.random.randbytes(16), 1) if known is None else (known.stream, known.version + 1)
            await process.writer.append([Unit([Entry(*where, fact)])])


def somebody():
    """A person that nobody knew, in no process."""
    id = os.urandom(16)
    return Unit([Entry(id, 1, set_person(id.hex()))])


def overtaken(office, others, times=1_000):
    """Each commit of an office comes just too late, so often; not those for which it takes the ledger's lock first.
    *others*: another process's books."""
    append, left = office.appender.append, iter(range(times))

    def too_late(units, now_ms):
        if next(left, None) is not None:
            others.append(somebody())
        return append(units, now_ms)

    office.appender.append = too_late


def counted(traffic, events, deliveries):
    """One line for people."""
    counts = traffic.counts
    return (
        f"{counts['sent']} events sent, {events} recorded, {deliveries} deliveries, {traffic.refused} units refused, "
        f"{traffic.duplicates} duplicates, {counts['unreadable']} unreadable, SQLite {sqlite3.sqlite_version}"
    )
