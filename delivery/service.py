"""The service of one process: the office, and who carries deliveries here, if anybody does; without its web server."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from ssl import SSLContext

from aiohttp.abc import AbstractResolver

from core.alarms import Alarms
from core.carried import Carried
from core.clock import Clock
from core.errors import HookledgerError
from core.gauges import Sample
from core.ledger.fault import FAULTS
from core.ledger.store import Database
from core.ledger.view_store import SharedViews
from core.limits import COMMIT_UNITS_MAX, READY_BYTES_MAX, SILENT_S, STOP_S, YOUNG_REQUESTS_MAX
from core.log import Log
from core.model.portal_event import Received
from core.office import Office
from core.plugins import Plugins
from core.tracing import Tracing
from delivery.addresses import AddressGuard, Network
from delivery.carrier import Carrier, Means, closed_outbox
from delivery.files import open_files_max, shares
from delivery.leading import Leading, LedTerm
from delivery.lean_sender import LeanSender
from delivery.ledger_topic.feed import LedgerFeed
from delivery.left import Left
from delivery.schedule import SCHEDULE_S
from delivery.sender import Sender
from delivery.url_check import url_check

log = Log("leader")


class Service:
    """Made outside of the loop's reach, started and stopped within one loop."""

    more_reasons: list[Callable[[], Sequence[str]]]
    """Who else knows why the service does not do its work."""
    feed: LedgerFeed | None = None
    """Who tells what is recorded, while this process carries."""

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
        database: Database | None = None,
        carries: bool = True,
    ) -> None:
        """*carries*: whether this process hands deliveries out and attempts them, or may, where several share a
        *database*."""
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
            database=database,
        )
        self.sender = sender or LeanSender(self.guard, tls=tls, resolver=resolver, idle_max=given.idle_lines)
        jitter = jitter or partial(Random().uniform, -1, 1)  # noqa: S311 -- jitter keeps nothing secret
        self.means = Means(given, ready_bytes_max, self.sender, jitter, schedule_s)
        self.carrier: Carrier | None = None
        """Who carries here just now; None: another process does."""
        self.leading: Leading | None = None
        """This process's part in it, where several may carry."""
        self._retiring: dict[asyncio.Task[None], Carrier] = {}
        self._let_watch(tracing)
        if office.leader is None:
            self.carrier = Carrier(office, self.means, self.readiness)
            self.carrier.follow(office.follow(self.carrier.outbox, lambda: closed_outbox(office.directory)))
        elif carries:
            self.leading = Leading(office.leader, office.clock, self._take_over, self._stand_down)
        office.lookout = self._look
        office.gauges.append(self._samples)
        office.clock_steps.on_step = self._clock_stepped
        office.writer.health.on_fault.append(self._on_fault)
        self.is_ready = self.is_stopping = False
        self._under_way, self.more_reasons = 0, []

    @property
    def place(self) -> Path | str:
        """Where the ledger is, for people."""
        return self.office.data if self.office.database is None else self.office.recorder.path

    def _let_watch(self, tracing: Tracing | None) -> None:
        """Whoever tells of attempts hears of them before the outbox does, which forgets what has ended."""
        self.office.chronicle.under_way = self._attempted
        self.office.tracing = tracing
        if tracing is not None:
            tracing.watch(self.office.directory, self._attempted)
            self.office.writer.follow(tracing.follow)

    # What others ask of whoever carries.

    def _attempted(self, number: int) -> tuple[Received, int] | None:
        return None if self.carrier is None else self.carrier.outbox.under_way(number)

    async def _look(self, count: int) -> Carried:
        if self.carrier is None:
            raise HookledgerError("another process leads, and carries the deliveries: ask that one")
        return await self.carrier.lookout.look(count)

    async def _samples(self) -> list[Sample]:
        samples = [] if self.carrier is None else await self.carrier.gauges.samples()
        samples.append(("hookledger_leads", (), int(self.carrier is not None)))
        samples.append(("hookledger_takeovers_total", (), 0 if self.leading is None else self.leading.takeovers))
        return samples

    def _clock_stepped(self) -> None:
        if self.carrier is not None:
            self.carrier.refill.pause()

    def _on_fault(self, is_at_fault: bool) -> None:
        if self.carrier is not None:
            self.carrier.heed_fault(is_at_fault)

    async def start(self) -> None:
        """Follow the ledger to its head, then hand out what is due. On a database, take part in who does."""
        if self.carrier is not None:
            await self._read_outbox(self.carrier)
        await self.office.start()
        if self.carrier is not None:
            self.carrier.open()
        if self.leading is not None:
            self.leading.start()
        self.is_ready = True

    async def _read_outbox(self, carrier: Carrier) -> None:
        mending = self.office.mending
        assert mending is not None
        mending.start()
        while True:
            try:
                carrier.read_outbox(self.office.clock.now_ms())
            except sqlite3.DatabaseError:
                if self.office.views.damage is None:
                    raise
                await mending.done()
            else:
                return

    # Of several processes one leads.

    async def _take_over(self, term: LedTerm) -> None:
        """Go on from where the leader before has come to."""
        office, leading = self.office, self.leading
        assert leading is not None
        assert isinstance(office.views, SharedViews)
        loop = asyncio.get_running_loop()
        # From here on nobody else writes views, or marks anything.
        office.views.term = term.number
        carrier = Carrier(office, self.means, self.readiness, term)
        carrier.held.hold(await leading.marks())
        outbox, now = carrier.outbox, office.clock.now_ms()
        await loop.run_in_executor(office.viewing, office.views.begin, outbox.name, outbox.tables)
        await loop.run_in_executor(office.viewing, carrier.read_outbox, now)
        followers = await office.lead(outbox)
        carrier.follow(followers[-1])
        self.carrier = carrier
        if office.writer.health.fault is not None:
            # It hears from now on that there is one, or no longer is; not what was before.
            carrier.heed_fault(True)
        for follower in followers:
            await follower.start()
        carrier.open()
        if self.feed is not None:
            self.feed.lead()
        log.say("leader.carries", term=term.number, held=len(outbox.held))

    def _stand_down(self) -> None:
        """The term is over: what was begun is finished, and nothing new is handed out."""
        carrier, self.carrier = self.carrier, None
        self.office.stand_down()
        if self.feed is not None:
            self.feed.stand_down()
        if carrier is not None:
            carrier.retire()
            task = asyncio.create_task(self._wind_down(carrier))
            self._retiring[task] = carrier
            task.add_done_callback(self._retiring.pop)

    async def _wind_down(self, carrier: Carrier) -> None:
        assert carrier.term is not None
        assert self.leading is not None
        await carrier.wind_down()
        if carrier.workers is None:
            # Workers elsewhere go on with what it has handed out, and its marks say so.
            return
        with suppress(*FAULTS):
            await self.leading.forget(carrier.term.number)
        if self.carrier is not None:
            self.carrier.held.let_go_of(carrier.term.number)

    def readiness(self) -> Sequence[str]:
        """Why the service does not do its work just now; empty when it does."""
        reasons = []
        if self.is_stopping:
            reasons.append("stopping: requests under way are finished, others are not begun")
        elif not self.is_ready:
            reasons.append("starting: the ledger is being followed to its head")
        fault = self.office.writer.health.fault or self.office.recorder.damage
        if fault is not None:
            reasons.append(f"the ledger cannot write: {fault}")
        elif self.office.database is not None and (waits_s := self.office.writer.waits_s) > SILENT_S:
            reasons.append(f"the database does not answer: it was asked {waits_s:.0f} s ago")
        if self.office.views.damage is not None:
            reasons.append(self.office.views.damage)
        reasons += self.office.plugins.reasons()
        if self.carrier is not None:
            reasons += self.carrier.reasons()
        if self.leading is not None and self.leading.fault is not None:
            reasons.append(f"it is not known who leads: {self.leading.fault}")
        reasons += [
            f"the view {follower.view.name} is not kept up: {follower.fault}"
            for follower in self.office.followers
            if follower.fault not in (None, self.office.views.damage)
        ]
        for tell in self.more_reasons:
            reasons += tell()
        return reasons

    def retire(self) -> None:
        """Hand out nothing more: the first step of a stop."""
        if not self.is_stopping and self.carrier is not None:
            self._under_way = self.carrier.under_way
        self.is_stopping, self.is_ready = True, False
        if self.leading is not None:
            # Another process hands out from now on; here it is only finished what was begun.
            self.leading.retire()
            self._stand_down()
        elif self.carrier is not None:
            self.carrier.retire()

    async def finish(self, wait_s: float, *others: Awaitable[None]) -> None:
        """Retire, and wait so long, but no longer, for what is under way, and for others."""
        self.retire()
        if self.carrier is not None:
            others = (self.carrier.dispatch.settled(), *others)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await asyncio.gather(*others, *(asyncio.shield(task) for task in self._retiring))

    async def stop(self, wait_s: float = STOP_S) -> Left:
        """Finish what is under way, within so many seconds; write down what came of it; close.

        What is cut off is due again at the next start, and its receiver may see it twice."""
        await self.finish(wait_s)
        carrier = self.carrier
        for task in self._retiring:
            task.cancel()
        carriers = [*self._retiring.values(), *([] if carrier is None else [carrier])]
        cut_off = 0
        for one in carriers:
            cut_off += await one.stop()
        await self.sender.close()
        await self.office.settle()
        # What the ledger does not take just now has come to no end that the next start knows of.
        cut_off += sum(one.unrecorded for one in carriers)
        waiting = None if carrier is None else await carrier.waiting()
        await self.office.stop_following()
        if self.leading is not None:
            await self.leading.stop()
        if self.office.tracing is not None:
            await asyncio.get_running_loop().run_in_executor(self.office.reading, self.office.tracing.close)
        await self.office.close()
        return Left(max(self._under_way - cut_off, 0), cut_off, waiting, self.office.database is not None)
