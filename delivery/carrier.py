"""Carries deliveries: the outbox, what it hands out, the workers that take it, and what is done about what happened.

On a ledger in a file there is one for the life of the process. On a database there is one for each term in which this
process leads; what an earlier leader may still be attempting is not handed out before its marks are over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from core.alarms import LoopAlarms
from core.clock import SystemClock
from core.directory import Directory
from core.ledger.fault import FAULTS
from core.ledger.follow import Follower
from core.limits import CARRIED_MAX, MARK_S, TOTAL_S
from core.office import SETTLE_S, Office
from delivery import outbox_table
from delivery.broker import Giving, InProcessBroker
from delivery.dispatch import Dispatch
from delivery.files import Shares
from delivery.gauges import Gauges
from delivery.handover import Handover
from delivery.held import Held
from delivery.kafka.records import Outgoing
from delivery.lookout import Lookout
from delivery.marking import MarkingBroker, Term
from delivery.outbox import Outbox
from delivery.parcel import Of
from delivery.reactions import Reactions
from delivery.refill import Refill
from delivery.sender import Sender
from delivery.worker import Workers

WITHIN_MS = round((MARK_S - TOTAL_S) * 1_000)
"""What was marked so long ago might not come to its end before the mark's."""

Readiness = Callable[[], Sequence[str]]


class Deliveries(NamedTuple):
    """The topic that brings deliveries to workers in other processes, and who writes to it."""

    outgoing: Outgoing
    topic: str


class Means(NamedTuple):
    """What is carried with, whoever leads."""

    shares: Shares
    ready_bytes_max: int
    sender: Sender
    jitter: Callable[[], float]
    schedule_s: Sequence[int]
    deliveries: Deliveries | None = None
    """Where workers are that are elsewhere; None: they are here."""


class Carrier:
    """Made within the loop's thread; `follow` and `read_outbox` come before `open`."""

    follower: Follower

    def __init__(self, office: Office, means: Means, readiness: Readiness, term: Term | None = None) -> None:
        """*term*: the one in which this process leads; None: no other process could."""
        self._office = office
        self.term = term
        self.broker = InProcessBroker()
        self.marking: MarkingBroker | Handover | None = None
        if term is not None:
            self.marking = self._marking(term, means.deliveries)
        giving: Giving = self.marking or self.broker
        is_remote = isinstance(self.marking, Handover)
        self.dispatch = Dispatch(
            office.directory,
            giving,
            office.clock,
            office.alarms,
            young_max=CARRIED_MAX if is_remote else means.shares.young_requests,
            old_max=means.shares.old_requests,
            ready_bytes_max=means.ready_bytes_max,
            is_remote=is_remote,
        )
        self.outbox = Outbox(office.directory, self.dispatch)
        self.refill = Refill(office, self.outbox, self.dispatch)
        self.held = Held(office, self.outbox, self.dispatch, self.refill)
        self.workers = None if is_remote else self._workers(means)
        self.reactions = Reactions(office, self.outbox, self.dispatch)
        self.gauges = Gauges(self.dispatch, self.reactions, means.sender, office.clock.now_ms)
        self.lookout = Lookout(office, self.dispatch, readiness)
        if self.marking is not None:
            self.marking.on_returned = self.dispatch.returned
        if isinstance(self.marking, Handover):
            self.marking.on_overdue = self.held.is_overdue
        self.refill.on_forgotten = self.reactions.forget
        self.outbox.on_shifted = self._shifted

    def _marking(self, term: Term, deliveries: Deliveries | None) -> MarkingBroker | Handover:
        clock, alarms = self._office.clock, self._office.alarms
        if deliveries is None:
            return MarkingBroker(self.broker, term, alarms)
        return Handover(*deliveries, term, clock, alarms, self._of, self._office.recorder.identity)

    def _of(self, webhook: int) -> Of:
        return Of(self._office.directory.by_number[webhook].version, self.dispatch.lanes[webhook].last_success)

    def _workers(self, means: Means) -> Workers:
        workers = Workers(
            self._office,
            self.broker,
            self.dispatch,
            means.sender,
            means.jitter,
            means.schedule_s,
            within_ms=None if self.term is None else WITHIN_MS,
        )
        self.broker.on_work = workers.call
        return workers

    def follow(self, follower: Follower) -> None:
        """*follower* is the outbox's."""
        self.follower = self.reactions.follower = self.held.follower = follower

    def read_outbox(self, now_ms: int) -> None:
        """What a process before this one left to be done; blocks."""
        views = self._office.views
        self.outbox.reactions.update(outbox_table.reactions(views))
        lanes = outbox_table.lanes(views, now_ms)
        self.dispatch.lanes.update({lane.number: lane for lane in lanes})

    def open(self) -> None:
        """Hand out what is due from here on; the ledger must have been followed to its head."""
        self.dispatch.is_open = True
        self.refill.resume()
        self.reactions.resume()
        self.held.open()

    def _shifted(self) -> None:
        if not self._office.clock_steps.is_under_way:
            self.refill.go_on()

    def heed_fault(self, is_at_fault: bool) -> None:
        """Nothing is handed out whose outcome could not be recorded."""
        if is_at_fault:
            self.dispatch.gate.shut()
        else:
            self.dispatch.gate.open()

    @property
    def under_way(self) -> int:
        """Requests of this process that have not come to their end."""
        return 0 if self.workers is None else self.dispatch.young + self.dispatch.old

    @property
    def unrecorded(self) -> int:
        """Outcomes of such requests that the ledger has not."""
        return 0 if self.workers is None else self.workers.unrecorded

    def reasons(self) -> list[str]:
        """Why deliveries wait that could be made."""
        reasons = []
        shortage = None if self.workers is None else self.workers.shortage()
        if isinstance(self.marking, Handover):
            shortage = self.marking.fault and f"they do not reach Kafka: {self.marking.fault}"
        if shortage is not None:
            reasons.append(f"deliveries wait: {shortage}")
        if self.refill.fault is not None:
            reasons.append(f"due deliveries cannot be read: {self.refill.fault}")
        return reasons

    def retire(self) -> None:
        """Hand out nothing more."""
        self.dispatch.is_open = False
        if self.marking is not None:
            self.marking.close()

    async def stop(self) -> int:
        """Send the workers home, who leave what is not finished by now; how many requests that cut off."""
        self.retire()
        with suppress(TimeoutError):
            # A database that does not answer is not waited for.
            async with asyncio.timeout(None if self.term is None else SETTLE_S):
                await asyncio.gather(self.reactions.stop(), self.refill.stop())
        cut_off = self.under_way
        if self.workers is not None:
            await self.workers.stop()
        return cut_off

    async def wind_down(self) -> None:
        """Finish what was begun here, and record what came of it, however long that takes."""
        await self.reactions.stop()
        if self.workers is not None:
            await self.dispatch.settled()
            await self.workers.recorded()
        await self.stop()

    async def waiting(self) -> int | None:
        """How many deliveries wait, when nothing is carried any more; None: that cannot be read."""
        await self.follower.stop()
        if self.follower.written < self._office.writer.head:
            return None
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._office.viewing, outbox_table.count, self._office.views
            )
        except FAULTS:
            return None


def closed_outbox(directory: Directory) -> Outbox:
    """An outbox that hands nothing out: for its rows."""
    clock = SystemClock()
    return Outbox(directory, Dispatch(directory, InProcessBroker(), clock, LoopAlarms(clock), old_max=0))
