"""Carries deliveries: the outbox, what it hands out, the workers that take it, and what is done about what happened.

On a ledger in a file there is one for the life of the process. On a database there is one for each term in which this
process leads; what an earlier leader may still be attempting is not handed out before its marks are over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from core.alarms import LoopAlarms
from core.clock import SystemClock
from core.directory import Directory
from core.errors import HookledgerError
from core.ledger.fault import FAULTS
from core.ledger.follow import Follower
from core.ledger.unit import Unit
from core.limits import MARK_S, TOTAL_S
from core.log import Log
from core.office import SETTLE_S, Office
from delivery import outbox_table
from delivery.broker import Broker, InProcessBroker
from delivery.dispatch import Dispatch
from delivery.files import Shares
from delivery.gauges import Gauges
from delivery.lookout import Lookout
from delivery.marking import MarkingBroker, Term
from delivery.outbox import Outbox
from delivery.reactions import Reactions
from delivery.refill import Refill
from delivery.sender import Sender
from delivery.worker import Workers

if TYPE_CHECKING:  # what it imports is an extra
    from core.ledger.postgres.leader import Mark

log = Log("outbox")

AGAIN_MS = 1_000
"""How long until it is tried again to see how the ledger stands."""

WITHIN_MS = round((MARK_S - TOTAL_S) * 1_000)
"""What was marked so long ago might not come to its end before the mark's."""

Readiness = Callable[[], Sequence[str]]


class Means(NamedTuple):
    """What is carried with, whoever leads."""

    shares: Shares
    ready_bytes_max: int
    sender: Sender
    jitter: Callable[[], float]
    schedule_s: Sequence[int]


class Carrier:
    """Made within the loop's thread; `follow` and `read_outbox` come before `open`."""

    follower: Follower

    def __init__(self, office: Office, means: Means, readiness: Readiness, term: Term | None = None) -> None:
        """*term*: the one in which this process leads; None: no other process could."""
        self._office = office
        self.term = term
        self._marks: list[Mark] = []
        self._over: dict[int, int] = {}
        """Attempts of marks that were over before anything was handed out."""
        self._going: dict[int, int] = {}
        """Attempts that are let go as soon as the ledger was followed to its head."""
        self._letting_go: asyncio.Task[None] | None = None
        self.broker = InProcessBroker()
        self.marking = None if term is None else MarkingBroker(self.broker, term, office.alarms)
        broker: Broker = self.marking or self.broker
        self.dispatch = Dispatch(
            office.directory,
            broker,
            office.clock,
            office.alarms,
            young_max=means.shares.young_requests,
            old_max=means.shares.old_requests,
            ready_bytes_max=means.ready_bytes_max,
        )
        self.outbox = Outbox(office.directory, self.dispatch)
        self.refill = Refill(office, self.outbox, self.dispatch)
        self.workers = Workers(
            office,
            self.broker,
            self.dispatch,
            means.sender,
            means.jitter,
            means.schedule_s,
            within_ms=None if term is None else WITHIN_MS,
        )
        self.broker.on_work = self.workers.call
        self.reactions = Reactions(office, self.outbox, self.dispatch)
        self.gauges = Gauges(self.dispatch, self.reactions, means.sender, office.clock.now_ms)
        self.lookout = Lookout(office, self.dispatch, readiness)
        if self.marking is not None:
            self.marking.on_returned = self.dispatch.returned
        self.refill.on_forgotten = self.reactions.forget
        self.outbox.on_shifted = self._shifted

    def follow(self, follower: Follower) -> None:
        """*follower* is the outbox's."""
        self.follower = self.reactions.follower = follower

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
        self.let_go(self._over)

    def hold(self, marks: Iterable[Mark]) -> None:
        """Leave alone what earlier leaders have marked, as long as they may be attempting it."""
        held = self.outbox.held
        for mark in sorted(marks, key=lambda mark: mark.left_s, reverse=True):
            # What was marked more than once is held as its last mark says.
            attempts = {number: attempt for number, attempt in mark.attempts.items() if number not in held}
            held |= attempts
            self._marks.append(mark._replace(attempts=attempts))
            self._office.alarms.after(round(mark.left_s * 1_000), partial(self.let_go, attempts))

    def let_go_of(self, term: int) -> None:
        """Nothing of what was handed out in that term is under way any more."""
        for mark in self._marks:
            if mark.term == term:
                self.let_go(mark.attempts)

    def let_go(self, attempts: Mapping[int, int]) -> None:
        """Nobody makes these attempts any more, by delivery: what came of them is in the ledger, or nothing did."""
        held = {number: attempt for number, attempt in attempts.items() if self.outbox.held.get(number) == attempt}
        if not self.dispatch.is_open:
            self._over |= held
        else:
            self._going |= held
            if self._going and self._letting_go is None:
                self._letting_go = asyncio.create_task(self._let_go())

    async def _let_go(self) -> None:
        """Many marks are over within a moment: one look at the ledger is enough for all of them."""
        while self._going:
            going, self._going = self._going, {}
            try:
                # Whatever was recorded by now is followed before they are handed out again.
                await self._office.writer.append([Unit([])])
                await self.follower.start()
            except (HookledgerError, *FAULTS):
                self._office.alarms.after(AGAIN_MS, partial(self.let_go, going))
                continue
            log.say("outbox.let_go", deliveries=len(going))
            held = self.outbox.held
            for number, attempt in going.items():
                if held.get(number) == attempt:
                    del held[number]
            self.refill.look_at_all()
        self._letting_go = None

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
        """Requests that have not come to their end."""
        return self.dispatch.young + self.dispatch.old

    def reasons(self) -> list[str]:
        """Why deliveries wait that could be made."""
        reasons = []
        shortage = self.workers.shortage()
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
        await self.workers.stop()
        return cut_off

    async def wind_down(self) -> None:
        """Finish what was begun, and record what came of it, however long that takes."""
        await self.reactions.stop()
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
