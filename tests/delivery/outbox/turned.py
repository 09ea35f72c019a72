"""The real service on an invented clock, with threads that move only when the test turns them, and a scripted sender.

Nothing in it is left to luck: what a test sees once it sees every time, whichever way two jobs cross.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from random import Random

import pytest

import core.office
from core.incoming import events_of
from core.intake import Accepted
from core.ledger.unit import Recorded
from core.model.delivery import AttemptFailed
from delivery.schedule import SCHEDULE_S
from delivery.sender import Answered, Outcome, Target
from delivery.service import Service
from tests.builders import our_plugins
from tests.delivery.outbox.jobs import Jobs, let_run
from tests.invented import InventedClock

GOOD = Answered(200, (), b"ok", False)
BAD = Answered(500, (), b"no", False)
STILL = 12
"""So many turns of the loop without a job mean that nothing moves any more."""


def answered(status: int, **headers: str) -> Answered:
    return Answered(status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), b"", False)


class Request:
    """What the sender was asked to post, and in which life of the service."""

    def __init__(self, life: int, clock: InventedClock, url: str, said: dict) -> None:
        self.life = life
        self.at_ms, self.monotonic_ms = clock.now_ms(), clock.monotonic_ms()
        self.url = url
        self.title: str = said["payload"].get("title", "")
        self.number: int = said["event"]["id"]
        self.attempt: int = said["webhook"].get("retryCount", 0) + 1
        self._answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    @property
    def hangs(self) -> bool:
        return not self._answer.done()

    def answer(self, outcome: Outcome) -> None:
        self._answer.set_result(outcome)

    async def outcome(self) -> Outcome:
        return await self._answer


class ToldSender:
    """A sender without a network: `told` says what becomes of each request; None: it hangs until it is answered."""

    def __init__(self, told: Callable[[Request], Outcome | None], life: int, clock: InventedClock) -> None:
        self._told, self._life, self._clock = told, life, clock

    def target(self, url: str, ssl: bool) -> Target:
        return Target(url, ssl, False, asyncio.get_running_loop())

    async def post(self, target: Target, head_lines: bytes, body: bytes) -> Outcome:
        request = Request(self._life, self._clock, target.url, json.loads(body))
        outcome = self._told(request)
        if outcome is not None:
            return outcome
        return await request.outcome()

    async def close(self) -> None:
        pass


class Turned:
    """A service, and the next one on what it left."""

    def __init__(
        self, data: Path, patch: pytest.MonkeyPatch, *, seed: int = 0, schedule_s: Sequence[int] = SCHEDULE_S
    ) -> None:
        self.data = data
        self.random = Random(seed)
        self.clock = InventedClock()
        self.jobs = Jobs(self.random)
        self.schedule_s = schedule_s
        self._plugins = our_plugins()
        self.life = 0
        self.requests: list[Request] = []
        self.reply: Callable[[Request], Outcome | None] = lambda request: GOOD
        """What becomes of a request; None: it hangs."""
        self.broken: list[dict] = []
        """What nobody caught."""
        self._under_way: dict[asyncio.Task, None] = {}
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.broken.append(context))
        patch.setattr(core.office, "ThreadPoolExecutor", self.jobs.executor)
        self.revive()

    def revive(self) -> None:
        """Another service on the same data; it is not started yet."""
        self.life += 1
        self.service = Service(
            self.data,
            plugins=self._plugins,
            environment={},
            clock=self.clock,
            alarms=self.clock,
            sender=ToldSender(self.posted, self.life, self.clock),
            schedule_s=self.schedule_s,
            jitter=lambda: 0.0,
            synchronous="OFF",
        )

    def posted(self, request: Request) -> Outcome | None:
        self.requests.append(request)
        return self.reply(request)

    # What moves.

    def start(self, what: Coroutine) -> asyncio.Task:
        """Let something happen while other things do."""
        task = asyncio.create_task(what)
        self._under_way[task] = None
        task.add_done_callback(self._under_way.pop)
        return task

    async def finish(self, what: Coroutine):
        """Let something happen, and all jobs with it, and time if need be, until it is done."""
        task = self.start(what)
        idle = 0
        while not task.done():
            idle = 0 if self.jobs.turn() else idle + 1
            await let_run()
            if idle > STILL and not task.done():
                due = self.clock.next_alarm()
                assert due is not None, f"nothing moves any more, and {what} is not done"
                self.clock.turn_to(due)
                idle = 0
        return await task

    async def still(self) -> None:
        """Let everything move that moves without the clock."""
        quiet = 0
        while quiet < STILL:
            quiet = 0 if self.jobs.turn() else quiet + 1
            await let_run()

    async def once(self) -> None:
        """One step of one job, and what comes of it at once."""
        self.jobs.turn()
        await let_run()

    async def turn_to(self, at_ms: int) -> None:
        """Let time pass, alarm by alarm."""
        await self.still()
        while (due := self.clock.next_alarm()) is not None and due <= at_ms:
            self.clock.turn_to(due)
            await self.still()
        self.clock.turn_to(at_ms)

    async def wait(self, s: float) -> None:
        await self.turn_to(self.clock.now_ms() + round(s * 1000))

    async def run_out(self) -> None:
        """Let all time pass that anything waits for."""
        for _ in range(5_000):
            await self.still()
            due = self.clock.next_alarm()
            if due is None:
                return
            self.clock.turn_to(due)
        raise AssertionError("alarms without end")

    async def set_clock(self, by_ms: int) -> None:
        """Somebody sets the machine's clock. Whoever waits long looks at it now and then, and notices."""
        self.clock.set(by_ms)
        self.service.office.clock.now_ms()
        await self.wait(1)

    # Ends and beginnings.

    async def begin(self) -> None:
        """Another life on what the last one left."""
        self.revive()
        await self.finish(self.service.start())

    async def stop(self, wait_s: float = 0) -> None:
        """The service ends in order, but waits for nobody who hangs."""
        await self.finish(self.service.stop(wait_s))
        await self._end_tasks()

    async def kill(self) -> None:
        """The process dies: what was given to threads and has not run never will, and nobody hears of what has run.
        The kernel gives up the lock."""
        self.jobs.die()
        await self._end_tasks()
        self.clock = InventedClock(self.clock.now_ms(), self.clock.monotonic_ms())
        office = self.service.office
        office.views.close()
        office.appender.close()
        office.recorder.close()
        office.lock.close()

    async def _end_tasks(self) -> None:
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # What people and portals do.

    async def webhook(self, name: str, *triggers: str) -> int:
        """A webhook of the portal itself: its number."""
        made = await self.finish(
            self.service.office.webhooks.create(
                tenant="1", name=name, url=url(name), triggers=triggers, secret="S3cret-key-0123456789", by=None
            )
        )
        return made.webhook.number

    async def accept(self, *titles: str, type: str = "file.updated") -> list[Accepted]:
        """Accept events; everybody's webhooks may know of them."""
        return await self.finish(self.accept_now(*titles, type=type))

    async def accept_now(self, *titles: str, type: str = "file.updated") -> list[Accepted]:
        """The same while other things move."""
        events = [
            {"id": title, "type": type, "readers": ["everyone"], "data": {"id": 1, "title": title}} for title in titles
        ]
        sent = events_of(json.dumps(events).encode(), "1")
        return await self.service.office.intake.accept("1", sent, ("http", "test"))

    async def event(self, title: str, type: str = "file.updated") -> int:
        """One event for one webhook: the number of its delivery."""
        (accepted,) = await self.accept(title, type=type)
        assert accepted.deliveries == 1, accepted
        return accepted.position + 1

    async def switch(self, number: int, *, enabled: bool) -> None:
        await self.finish(self.service.office.webhooks.switch(number, enabled=enabled, by="p"))

    # What came of it.

    def recorded(self) -> list[Recorded]:
        return self.service.office.reader.after(0, 1_000_000)

    def story(self, number: int) -> list:
        """The recorded events of a delivery after its Created."""
        reader = self.service.office.reader
        return [recorded.event for recorded in reader.stream(reader.at([number])[number].stream)][1:]

    def due(self, number: int) -> int:
        """When a delivery that failed is due again."""
        last = self.story(number)[-1]
        assert isinstance(last, AttemptFailed), last
        assert last.next is not None
        return last.next

    def to(self, name: str) -> list[Request]:
        """Requests to one receiver."""
        return [request for request in self.requests if request.url == url(name)]


def fails(*_: object) -> None:
    """Stands where something reads or writes a disk that is broken."""
    raise sqlite3.OperationalError("disk I/O error")


def url(name: str) -> str:
    return f"https://receiver.example/{name}"
