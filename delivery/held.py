"""Attempts that somebody may be making, until nobody is: those that earlier leaders have marked, and those that workers
in other processes have come to no end of in time. Then they are handed out again, same attempt number, once the ledger
was followed to its head: it has no outcome of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from core.alarms import pause
from core.errors import HookledgerError
from core.ledger.fault import FAULTS
from core.ledger.follow import Follower
from core.ledger.unit import Unit
from core.log import Log
from core.office import Office
from delivery.dispatch import Dispatch
from delivery.outbox import Outbox
from delivery.refill import Refill
from delivery.rows import Mark

if TYPE_CHECKING:  # what it imports is an extra
    from core.ledger.postgres.leader import Mark as LeftMark

log = Log("outbox")

AGAIN_MS = 1_000
"""How long until it is tried again to see how the ledger stands."""


class Held:
    """For the time of one carrier."""

    follower: Follower
    """The outbox's; to be set before there is anything to do."""

    def __init__(self, office: Office, outbox: Outbox, dispatch: Dispatch, refill: Refill) -> None:
        self._office, self._outbox, self._dispatch, self._refill = office, outbox, dispatch, refill
        self._marks: list[LeftMark] = []
        self._over: dict[int, int] = {}
        """Attempts of marks that were over before anything was handed out."""
        self._going: dict[int, int] = {}
        """Attempts that are let go as soon as the ledger was followed to its head."""
        self._overdue: list[tuple[Sequence[int], Mark]] = []
        """Deliveries that are handed out again then, unless that mark of theirs is over."""
        self._letting_go: asyncio.Task[None] | None = None

    def open(self) -> None:
        """From here on is handed out again what was let go."""
        self.let_go(self._over)

    def hold(self, marks: Iterable[LeftMark]) -> None:
        """Leave alone what earlier leaders have marked, as long as they may be attempting it."""
        held = self._outbox.held
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
        held = {number: attempt for number, attempt in attempts.items() if self._outbox.held.get(number) == attempt}
        if not self._dispatch.is_open:
            self._over |= held
        else:
            self._going |= held
            self._let_go_soon()

    def is_overdue(self, deliveries: Sequence[int], mark: Mark) -> None:
        self._overdue.append((deliveries, mark))
        self._let_go_soon()

    def _let_go_soon(self) -> None:
        if (self._going or self._overdue) and self._letting_go is None:
            self._letting_go = asyncio.create_task(self._let_go())

    async def _let_go(self) -> None:
        """Many marks are over within a moment: one look at the ledger is enough for all of them."""
        try:
            await self._let_all_go()
        finally:
            self._letting_go = None

    async def _let_all_go(self) -> None:
        while (self._going or self._overdue) and self._dispatch.is_open:
            going, self._going = self._going, {}
            overdue, self._overdue = self._overdue, []
            try:
                # Whatever was recorded by now is followed before they are handed out again.
                await self._office.writer.append([Unit([])])
                await self.follower.start()
            except (HookledgerError, *FAULTS):
                self._going |= going
                self._overdue += overdue
                await pause(self._office.alarms, AGAIN_MS)
                continue
            self._not_recorded(going, overdue)

    def _not_recorded(self, going: Mapping[int, int], overdue: Sequence[tuple[Sequence[int], Mark]]) -> None:
        """What the ledger has no outcome of by now is handed out again."""
        held, rows = self._outbox.held, self._outbox.rows
        for number, attempt in going.items():
            if held.get(number) == attempt:
                del held[number]
        again = [rows[number] for deliveries, mark in overdue for number in deliveries if number in rows]
        again = [row for row in again if any(row.mark is mark for _, mark in overdue)]
        for row in again:
            self._dispatch.returned(row)
        log.say("outbox.let_go", deliveries=len(going) + len(again))
        self._refill.look_at_all()
