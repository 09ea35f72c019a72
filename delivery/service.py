"""The whole service in one process: the office, the outbox, the workers, joined; without its web server."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from ssl import SSLContext
from typing import NamedTuple

from aiohttp.abc import AbstractResolver

from core.alarms import Alarms, LoopAlarms
from core.check_url import CheckUrl
from core.clock import Clock, SystemClock
from core.directory import Directory
from core.ledger.fault import FAULTS
from core.ledger.follow import Follower
from core.limits import COMMIT_UNITS_MAX, READY_BYTES_MAX, STOP_S, YOUNG_REQUESTS_MAX
from core.office import Office
from core.plugins import Plugins
from core.tracing import Tracing
from delivery import outbox_table
from delivery.addresses import AddressGuard, Network
from delivery.broker import InProcessBroker
from delivery.dispatch import Dispatch
from delivery.files import open_files_max, shares
from delivery.gauges import Gauges
from delivery.lean_sender import LeanSender
from delivery.lookout import Lookout
from delivery.outbox import Outbox
from delivery.reactions import Reactions
from delivery.refill import Refill
from delivery.schedule import SCHEDULE_S
from delivery.sender import Sender, parse_url
from delivery.worker import Workers


class Left(NamedTuple):
    """What a stopped service leaves: how many requests were finished, how many cut off, and how many deliveries wait,
    those cut off among them; None: that could not be read."""

    finished: int
    cut_off: int
    waiting: int | None

    def __str__(self) -> str:
        waiting = "an unknown number of" if self.waiting is None else f"{self.waiting:,}"
        return (
            f"stopped: {self.finished:,} deliveries under way were finished, {self.cut_off:,} cut off and due again at"
            f" the next start; {waiting} deliveries wait in the outbox"
        )


def url_check(guard: AddressGuard) -> CheckUrl:
    """What a webhook's URL must be like, and where it must not lead."""

    def check(url: str, ssl: bool) -> None:
        parse_url(url, ssl)
        guard.check_url(url)

    return check


def url_check_allowing(allow: Sequence[Network]) -> CheckUrl:
    """The same, for who has no service: a command that opens the ledger itself."""
    return url_check(AddressGuard(allow))


def closed_outbox(directory: Directory) -> Outbox:
    """An outbox that hands nothing out: for its rows."""
    clock = SystemClock()
    return Outbox(directory, Dispatch(directory, InProcessBroker(), clock, LoopAlarms(clock), old_max=0))


class Service:
    """Made outside of the loop's reach, started and stopped within one loop."""

    def __init__(
        self,
        data: Path,
        *,
        environment: Mapping[str, str],
        allow: Sequence[Network] = (),
        clock: Clock | None = None,
        alarms: Alarms | None = None,
        random: Callable[[int], bytes] | None = None,
        plugins: Plugins | None = None,
        sender: Sender | None = None,
        tls: SSLContext | None = None,
        resolver: AbstractResolver | None = None,
        files_max: int | None = None,
        schedule_s: Sequence[int] = SCHEDULE_S,
        jitter: Callable[[], float] | None = None,
        synchronous: str = "FULL",
        commit_units_max: int = COMMIT_UNITS_MAX,
        young_requests_max: int = YOUNG_REQUESTS_MAX,
        ready_bytes_max: int = READY_BYTES_MAX,
        tracing: Tracing | None = None,
    ) -> None:
        self.shares = given = shares(files_max or open_files_max(), young_requests_max)
        self.guard = AddressGuard(allow)
        self.office = office = Office(
            data,
            environment=environment,
            check_url=url_check(self.guard),
            clock=clock,
            alarms=alarms,
            random=random,
            plugins=plugins,
            synchronous=synchronous,
            commit_units_max=commit_units_max,
        )
        self.broker = InProcessBroker()
        self.dispatch = Dispatch(
            office.directory,
            self.broker,
            office.clock,
            office.alarms,
            young_max=given.young_requests,
            old_max=given.old_requests,
            ready_bytes_max=ready_bytes_max,
        )
        self.outbox = Outbox(office.directory, self.dispatch)
        self._let_watch(tracing)
        self.follower: Follower = office.follow(self.outbox, lambda: closed_outbox(office.directory))
        self.refill = Refill(office, self.outbox, self.dispatch)
        self.sender = sender or LeanSender(self.guard, tls=tls, resolver=resolver, idle_max=given.idle_lines)
        jitter = jitter or partial(Random().uniform, -1, 1)  # noqa: S311 -- jitter keeps nothing secret
        self.workers = Workers(office, self.broker, self.dispatch, self.sender, jitter, schedule_s)
        self.broker.on_work = self.workers.call
        self.reactions = Reactions(office, self.outbox, self.dispatch, self.follower)
        office.lookout = Lookout(office, self.dispatch, self.readiness).look
        self._heed_faults()
        office.gauges.append(Gauges(self.dispatch, self.reactions, self.sender, office.clock.now_ms).samples)
        self.is_ready = self.is_stopping = False
        self._under_way = 0

    def _heed_faults(self) -> None:
        self.refill.on_forgotten = self.reactions.forget
        self.office.clock_steps.on_step = self.refill.pause
        self.outbox.on_shifted = self._shifted
        self.office.writer.on_fault.append(self._on_fault)

    def _on_fault(self, is_at_fault: bool) -> None:
        """Nothing is handed out whose outcome could not be recorded."""
        if is_at_fault:
            self.dispatch.gate.shut()
        else:
            self.dispatch.gate.open()

    def _let_watch(self, tracing: Tracing | None) -> None:
        """Whoever tells of attempts hears of them before the outbox does, which forgets what has ended."""
        self.office.chronicle.under_way = self.outbox.under_way
        self.office.tracing = tracing
        if tracing is not None:
            tracing.watch(self.office.directory, self.outbox.under_way)
            self.office.writer.follow(tracing.follow)

    async def start(self) -> None:
        """Follow the ledger to its head, then hand out what is due."""
        self.office.mending.start()
        while True:
            try:
                self._read_outbox()
                break
            except sqlite3.DatabaseError:
                if self.office.views.damage is None:
                    raise
                await self.office.mending.done()
        await self.office.start()
        self.dispatch.is_open = True
        self.refill.resume()
        self.reactions.resume()
        self.is_ready = True

    def _read_outbox(self) -> None:
        """What a process before this one left to be done."""
        self.outbox.reactions.update(outbox_table.reactions(self.office.views))
        lanes = outbox_table.lanes(self.office.views, self.office.clock.now_ms())
        self.dispatch.lanes.update({lane.number: lane for lane in lanes})

    def _shifted(self) -> None:
        if not self.office.clock_steps.is_under_way:
            self.refill.go_on()

    def readiness(self) -> Sequence[str]:
        """Why the service does not do its work just now; empty when it does."""
        reasons = []
        if self.is_stopping:
            reasons.append("stopping: requests under way are finished, others are not begun")
        elif not self.is_ready:
            reasons.append("starting: the ledger is being followed to its head")
        fault = self.office.writer.fault or self.office.recorder.damage
        if fault is not None:
            reasons.append(f"the ledger cannot write: {fault}")
        if self.office.views.damage is not None:
            reasons.append(self.office.views.damage)
        reasons += self.office.plugins.reasons()
        shortage = self.workers.shortage()
        if shortage is not None:
            reasons.append(f"deliveries wait: {shortage}")
        if self.refill.fault is not None:
            reasons.append(f"due deliveries cannot be read: {self.refill.fault}")
        reasons += [
            f"the view {follower.view.name} is not kept up: {follower.fault}"
            for follower in self.office.followers
            if follower.fault not in (None, self.office.views.damage)
        ]
        return reasons

    def retire(self) -> None:
        """Hand out nothing more: the first step of a stop."""
        if not self.is_stopping:
            self._under_way = self.dispatch.young + self.dispatch.old
        self.is_stopping, self.is_ready = True, False
        self.dispatch.is_open = False

    async def finish(self, wait_s: float, *others: Awaitable[None]) -> None:
        """Retire, and wait so long, but no longer, for what is under way, and for others."""
        self.retire()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await asyncio.gather(self.dispatch.settled(), *others)

    async def stop(self, wait_s: float = STOP_S) -> Left:
        """Finish what is under way, within so many seconds; write down what came of it; close.

        What is cut off is due again at the next start, and its receiver may see it twice."""
        await self.finish(wait_s)
        await self.reactions.stop()
        await self.refill.stop()
        cut_off = self.dispatch.young + self.dispatch.old
        await self.workers.stop()
        await self.sender.close()
        await self.office.writer.settle()
        # What the ledger does not take just now has come to no end that the next start knows of.
        cut_off += self.dispatch.unrecorded
        if self.office.tracing is not None:
            await asyncio.get_running_loop().run_in_executor(self.office.reading, self.office.tracing.close)
        waiting = await self._waiting()
        await self.office.close()
        return Left(max(self._under_way - cut_off, 0), cut_off, waiting)

    async def _waiting(self) -> int | None:
        await self.follower.stop()
        if self.follower.written < self.office.writer.head:
            return None
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self.office.viewing, outbox_table.count, self.office.views
            )
        except FAULTS:
            return None
