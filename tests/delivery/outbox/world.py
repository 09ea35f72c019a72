"""A life of the service drawn by lot: events, receivers with moods, people at the switches, faults, stops and kills."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.errors import HookledgerError
from core.intake import Accepted
from core.ledger.append import SqliteAppender
from core.ledger.views import Views
from delivery.sender import Answered, Outcome, Unreached
from tests.delivery.outbox.jobs import let_run
from tests.delivery.outbox.plain_fold import PlainFold
from tests.delivery.outbox.turned import BAD, GOOD, Request, Turned, answered, url

MOODS = ("good", "flaky", "hanging", "busy", "gone", "dead")
REFUSED = Unreached("cannot connect: connection refused")

SIZES: dict[str, list[int]] = {
    "delivery.dispatch.READY_ROWS_MAX": [4, 8, 40, 8_192],
    "delivery.dispatch.READY_PER_WINDOW": [1, 2, 16],
    "delivery.dispatch.UNRECORDED_MAX": [1, 3, 2_048],
    "delivery.refill.ROWS_MAX": [1, 2, 3, 128],
    "delivery.refill.LANES_MAX": [1, 2, 64],
    "delivery.refill.READING_ROWS_MAX": [1, 3, 256],
    "delivery.reactions.CANCEL_CHUNK": [1, 2, 500],
    "core.ledger.follow.FOLD_EVENTS_MAX": [1, 5, 20_000],
    "core.ledger.follow.READ_EVENTS_MAX": [1, 3, 2_000],
    "core.ledger.follow.FOLD_MS": [0, 250, 250],
}
"""Limits as they might be, so small that they are met all the time."""


class World(Turned):
    """One life. Every choice comes from one seed."""

    def __init__(self, data: Path, patch: pytest.MonkeyPatch, seed: int) -> None:
        self.is_ledger_down = self.are_views_down = self.is_well = False
        self.sets_clocks = seed % 4 == 3
        """Whether somebody sets the clock now and then; then it is not looked at how early or late things are."""
        self.numbers: dict[str, int] = {}
        self.moods: dict[int, str] = {}
        self.holds: dict[int, tuple[int, int]] = {}
        """Webhook → until when its receiver asked to be left alone, and the position of its last Enabled then."""
        self.accepted: list[Accepted] = []
        self.redelivered: list[int] = []
        """The numbers that people were told."""
        self._asking: asyncio.Task | None = None
        self.faults: list[str] = []
        super().__init__(data, patch, seed=seed)
        self.reply = self._reply
        for name, values in SIZES.items():
            patch.setattr(name, self.random.choice(values))
        patch.setattr(SqliteAppender, "append", self._failing(SqliteAppender.append, lambda: self.is_ledger_down))
        patch.setattr(SqliteAppender, "probe", self._failing(SqliteAppender.probe, lambda: self.is_ledger_down))
        patch.setattr(Views, "move", self._failing(Views.move, lambda: self.are_views_down))
        patch.setattr(Views, "rows", self._failing(Views.rows, lambda: self.are_views_down))
        self._happenings = self._weighted()

    def _failing(self, call: Callable, is_down: Callable[[], bool]) -> Callable:
        def fails(*args):
            if is_down():
                raise sqlite3.OperationalError("disk I/O error")
            return call(*args)

        return fails

    def revive(self) -> None:
        self.is_ledger_down = self.are_views_down = False
        if self.random.random() < 0.3:
            for file in self.data.glob("views.sqlite*"):
                file.unlink()
        self.schedule_s = self.random.choice([(1, 5, 60), (0, 0, 3), (2, 2, 2, 300), (5, 60, 300, 1800)])
        super().revive()
        self.service.carrier.dispatch._young_max = self.random.choice([1, 2, 5, 128])
        self.service.carrier.dispatch._places.places_max = self.random.choice([1, 2, 500])
        self.service.carrier.dispatch._ready_bytes_max = self.random.choice([400, 4_000, 2**20])
        # What an answer asked for that was not recorded went with the process.
        self.holds.clear()
        for number, (_, _, held_until) in PlainFold(self.recorded()).lanes.items():
            self._hold(number, held_until)

    # The receivers.

    def posted(self, request: Request) -> Outcome | None:
        dispatch, number = self.service.carrier.dispatch, self.numbers[request.url]
        what = f"{request.number} attempt {request.attempt} at {request.at_ms}"
        if not self.service.office.directory.by_number[number].enabled:
            self.faults.append(f"{what}: its webhook {number} is disabled")
        if self.held_until(number) > request.at_ms and not self.sets_clocks:
            self.faults.append(f"{what}: held until {self.held_until(number)}")
        if dispatch.young > dispatch._young_max:
            self.faults.append(f"{what}: {dispatch.young} young requests")
        outcome = super().posted(request)
        if isinstance(outcome, Answered) and outcome.status in (429, 503) and outcome.headers:
            self._hold(number, self.clock.now_ms() + int(outcome.headers[0][1]) * 1000)
        return outcome

    def _reply(self, request: Request) -> Outcome | None:
        """What a receiver of this mood answers; None: nothing yet."""
        random, mood = self.random, self.moods[self.numbers[request.url]]
        if self.is_well or mood == "good" or (mood == "flaky" and random.random() < 0.6):
            return GOOD
        if mood == "hanging":
            return None
        if mood == "busy":
            wait_s = str(random.choice([0, 1, 30, 600]))
            return random.choice([GOOD, answered(random.choice([429, 503]), Retry_After=wait_s)])
        if mood == "gone":
            return random.choice([answered(410), BAD, GOOD])
        return random.choice([REFUSED, BAD, GOOD])

    def _hold(self, number: int, until: int) -> None:
        enabled_position = self.service.office.directory.by_number[number].enabled_position
        self.holds[number] = max(until, self.held_until(number)), enabled_position

    def held_until(self, number: int) -> int:
        """Until when a webhook is to be left alone; enabling it ends that."""
        until, enabled_position = self.holds.get(number, (0, 0))
        return until if enabled_position == self.service.office.directory.by_number[number].enabled_position else 0

    # What happens.

    async def begin_all(self) -> None:
        await self.finish(self.service.start())
        for n in range(self.random.randint(2, 4)):
            triggers = self.random.choice([(), ("file.created",), ("file.updated",)])
            number = await self.webhook(f"w{n}", *triggers)
            self.numbers[url(f"w{n}")] = number
            self.moods[number] = self.random.choice(MOODS)

    def _weighted(self) -> dict[Callable[[], Awaitable[None]], int]:
        return {
            self._sends: 30,
            self._releases: 10,
            self._redelivers: 5,
            self._switches: 6,
            self._changes_mood: 3,
            self._breaks: 4,
            self._kills: 3,
            self._stops: 2,
            self._turns: 22,
            self._sets_clock: 2 if self.sets_clocks else 0,
            self.still: 5,
            let_run: 10,
        }

    async def step(self) -> None:
        """Something happens, and the rest moves on a little."""
        (happening,) = self.random.choices(list(self._happenings), list(self._happenings.values()))
        await happening()
        for _ in range(self.random.choice([0, 1, 3, 10])):
            self.jobs.turn()
            if self.random.random() < 0.7:
                await let_run()

    async def _sends(self) -> None:
        async def send(titles: list[str], type: str) -> None:
            try:
                self.accepted += await self.accept_now(*titles, type=type)
            except HookledgerError:
                assert self.service.office.writer.health.fault is not None

        titles = [self.random.randbytes(8).hex() for _ in range(self.random.choice([1, 1, 2, 5]))]
        self.start(send(titles, self.random.choice(["file.created", "file.updated"])))

    async def _redelivers(self) -> None:
        """Somebody wants some of what was accepted once more, whatever became of it."""

        async def ask(numbers: list[int], ticket: str) -> None:
            told = await self.service.office.redeliveries.make(numbers, by="p", ticket=ticket)
            self.redelivered += [one.number for one in told if one.number is not None]

        if self.accepted and (self._asking is None or self._asking.done()):
            of = self.random.choice(self.accepted)
            numbers = [of.position + 1 + n for n in range(of.deliveries)]
            self._asking = self.start(ask(numbers, self.random.choice(["once", self.random.randbytes(4).hex()])))

    async def _releases(self) -> None:
        hanging = [request for request in self.requests if request.life == self.life and request.hangs]
        if hanging:
            self.random.choice(hanging).answer(self.random.choice([GOOD, BAD, Unreached("no answer in 30 s")]))

    async def _switches(self) -> None:
        async def switch(number: int, *, deletes: bool) -> None:
            webhooks = self.service.office.webhooks
            try:
                if deletes:
                    await webhooks.delete(number, by="p")
                else:
                    await webhooks.switch(number, enabled=not webhooks.get(number).enabled, by="p")
            except HookledgerError:
                pass

        self.start(switch(self.random.choice(list(self.moods)), deletes=self.random.random() < 0.1))

    async def _changes_mood(self) -> None:
        self.moods[self.random.choice(list(self.moods))] = self.random.choice(MOODS)

    async def _breaks(self) -> None:
        if self.random.random() < 0.5:
            self.is_ledger_down = not self.is_ledger_down
        else:
            self.are_views_down = not self.are_views_down

    async def _kills(self) -> None:
        await self._dies()
        while self.random.random() < 0.3:
            self.revive()
            self.start(self.service.start())
            for _ in range(self.random.randint(0, 20)):
                self.jobs.turn()
                await let_run()
            await self._dies()
        await self.begin()

    async def _dies(self) -> None:
        for _ in range(self.random.randint(0, 3)):
            self.jobs.turn()
        await self.kill()

    async def _stops(self) -> None:
        self.are_views_down = False
        while self.random.random() < 0.8:
            await self._releases()
        # A service that is told to stop answers first whom it has begun to answer.
        while self._asking is not None and not self._asking.done():
            await self.once()
        await self.stop()
        await self.begin()

    async def _turns(self) -> None:
        due = self.clock.next_alarm()
        after_ms = self.random.choice([1, 100, 260, 1_000, 6_000, 6_000, None, None, 40 * 3_600_000])
        if after_ms is not None:
            self.clock.turn_to(self.clock.now_ms() + after_ms)
        elif due is not None:
            self.clock.turn_to(due)

    async def _sets_clock(self) -> None:
        self.clock.set(self.random.choice([-400, -6, -1, 1, 6, 400]) * self.random.choice([5_000, 3_600_000]))

    async def heal(self) -> int:
        """From here on all is well; when that was."""
        self.is_ledger_down = self.are_views_down = False
        self.is_well = True
        for request in self.requests:
            if request.life == self.life and request.hangs:
                request.answer(GOOD)
        await self.still()
        return self.clock.now_ms()
