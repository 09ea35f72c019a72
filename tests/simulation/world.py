"""One life: the service with all that is around it, from one seed, and what each of them saw of it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import aiohttp.connector

from core.plugins import Plugins
from tests.matching.portal import Portal as Words
from tests.simulation import sizes
from tests.simulation.again import Question, Redelivering
from tests.simulation.home import Home
from tests.simulation.loop import Loop
from tests.simulation.names import Names
from tests.simulation.people import TENANTS, Commanded, People
from tests.simulation.plan import DAY_S, HOUR_S, Plan
from tests.simulation.portal import Acknowledged, Portal
from tests.simulation.receiver import Arrival, Receiver
from tests.simulation.strangers import Strangers
from tests.simulation.wall import Wall
from tests.simulation.weather import Weather

OPEN = "SELECT number, webhook, attempt, due FROM outbox_1"
ACKNOWLEDGED_S = HOUR_S
"""After this long without trouble, every portal has its answers."""
ENDED_S = 3 * DAY_S
"""After this long without trouble, every delivery has ended: no receiver may hold us back for more than a day."""
SELDOM = {"hookledger.web": logging.ERROR, "aiohttp": logging.ERROR, "asyncio": logging.ERROR}
"""Loggers whose word at this level is a fault, whatever the weather; of all others, CRITICAL is."""


class Violation:
    """A promise that was broken: which one, and how."""

    def __init__(self, promise: str, how: str, at_s: float) -> None:
        self.promise, self.how, self.at_s = promise, how, at_s


class World(logging.Handler):
    """All of one life. It listens to the log as well."""

    def __init__(self, plan: Plan, data: Path, plugins: Plugins, *, is_traced: bool = False) -> None:
        super().__init__()
        self.plan, self.plugins = plan, plugins
        sizes.put(plan.sizes)
        self.random = Random(f"{plan.seed} world")
        self.ledger_random = Random(f"{plan.seed} ledger")
        self.receiver_random = Random(f"{plan.seed} receivers")
        self.story: list[tuple[float, str]] = []
        self.violations: list[Violation] = []
        self.acknowledged: list[Acknowledged] = []
        self.rejected = 0
        self.published: list[tuple[str, str, float]] = []
        """What operators published, and were answered for: tenant, id, true time (seconds)."""
        self.revoked: dict[str, float] = {}
        """Tokens, and when somebody was told that they speak no longer (true seconds)."""
        self.portals: list[Portal] = []
        self.commanded: list[Commanded] = []
        self.questions: list[Question] = []
        """What somebody wanted to be sent again."""
        self.arrivals: list[Arrival] = []
        self.roles: dict[str, str] = {}
        """Which machine plays which part by now."""
        self.active_until_s = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.weather = Weather(self)
        self.loop = Loop(plan.seed, self.weather.disk, is_shuffled=plan.is_shuffled, is_traced=is_traced)
        self.loop.net.set_defaults(latency=plan.latency_s)
        self.wall = Wall(lambda: self.loop.now_s)
        self.names = Names(self.loop, Random(f"{plan.seed} names"))
        self.home = Home(self, data)
        self.receivers = [Receiver(self, f"receiver-{number}") for number in range(1, plan.receivers + 1)]
        self.words = Words(self.random, "1", self.wall, [])
        self.people = People(self)

    # What others say and see.

    def say(self, text: str) -> None:
        # Each life has a place of its own, of which nothing may depend.
        self.story.append((self.loop.now_s, text.replace(f"{self.home.data}/", "")))

    def fault(self, promise: str, how: str, at_s: float | None = None) -> None:
        self.violations.append(Violation(promise, how, self.loop.now_s if at_s is None else at_s))

    def emit(self, record: logging.LogRecord) -> None:
        self.say(f"{record.levelname.lower()}: {record.getMessage()}")
        limit = next((level for name, level in SELDOM.items() if record.name.startswith(name)), logging.CRITICAL)
        is_unreadable = getattr(record, "line", "") == "request.unreadable"
        if record.levelno >= limit and not (is_unreadable and self.weather.hides_data(self.loop.now_s)):
            said = record.exc_info[1] if record.exc_info else ""
            self.fault("no bug is logged", f"{record.name}: {record.getMessage()} {said!r}")

    def join(self, role: str, host: str, machine: str) -> None:
        """A machine takes its place in the network."""
        self.loop.net.host(machine)
        self.roles[role] = machine
        self.names.addresses[host] = self.loop.net.address(machine)
        self.weather.apply_cuts()

    def start(self, coroutine: Coroutine[Any, Any, Any], machine: str | None = None) -> asyncio.Task[Any]:
        """Run something, on a machine or on none."""
        task = asyncio.create_task(coroutine) if machine is None else self.loop.net.host(machine).create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Its course.

    def live(self) -> None:
        """From the first start to the last graceful stop."""
        # The one clock in the machinery that is asked past the loop: of connections kept, and names remembered.
        aiohttp.connector.monotonic = lambda: self.loop.now_s
        self.loop.run_until_complete(self._live())
        for text in self.loop.faults:
            self.fault("every exception is taken by somebody", text)

    async def _live(self) -> None:
        for receiver in self.receivers:
            await receiver.boot()
        self.home.boot()
        for tenant in TENANTS:
            token = await self.start(self.people.token(tenant), self.people.machine)
            self.portals.append(Portal(self, tenant, token))
        for number in range(self.plan.webhooks):
            await self.start(self.people.create(TENANTS[number % 2 if number < 4 else 0]), self.people.machine)
        self.active_until_s = until_s = self.loop.now_s + self.plan.active_s
        publishing = [self.start(portal.live(until_s), portal.machine) for portal in self.portals]
        strangers = Strangers(self)
        publishing.append(self.start(strangers.live(until_s), strangers.machine))
        others = [self.start(who.live(until_s), self.people.machine) for who in (self.people, Redelivering(self))]
        others.append(self.start(self.weather.live(until_s)))
        await self.loop.pause(self.plan.active_s)
        self.weather.heal()
        await self._all(publishing + others, ACKNOWLEDGED_S, "everything is acknowledged in the end")
        await self._until_ended()
        assert self.home.epoch is not None
        assert self.home.epoch.service is not None
        if reasons := self.home.epoch.service.readiness():
            self.fault("it is ready when all is well", f"{reasons}")
        self.home.stop()
        await self.home.ended()

    async def _all(self, tasks: list[asyncio.Task[Any]], limit_s: float, promise: str) -> None:
        done, waiting = await asyncio.wait(tasks, timeout=limit_s)
        for task in done:
            task.result()
        if waiting:
            self.fault(promise, f"{len(waiting)} of {len(tasks)} still wait")

    async def _until_ended(self) -> None:
        """Wait until no delivery is open."""
        end_s = self.loop.now_s + ENDED_S
        await self.loop.pause(10)
        with closing(sqlite3.connect(self.home.data / "views.sqlite")) as views:
            while (rows := views.execute(OPEN).fetchall()) or not self.home.is_ready:
                if self.loop.now_s > end_s:
                    self.fault("every delivery ends", f"{len(rows)} did not: {rows[:5]}, it is {self.wall.now_ms()}")
                    return
                await self.loop.pause(600)
