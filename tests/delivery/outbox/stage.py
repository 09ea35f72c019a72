"""The real service on an invented clock, with a sender that answers as the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from core.incoming import events_of
from core.intake import Accepted
from core.model.delivery import Attempt
from delivery.sender import Answered, Outcome, Target
from delivery.service import Service
from tests.invented import InventedClock

OK = Answered(200, (("Content-Type", "text/plain"),), b"ok", False)
LIMIT_S = 10


class ScriptedSender:
    """A sender without a network: `answer` is asked what becomes of each request, and may take its time."""

    def __init__(self, clock: InventedClock) -> None:
        self._clock = clock
        self.answer: Callable[[str, dict], Outcome | Awaitable[Outcome]] = lambda _url, _body: OK
        self.requests: list[tuple[int, str, dict]] = []
        self.bodies: list[bytes] = []
        self.under_way = 0

    def target(self, url: str, ssl: bool) -> Target:
        return Target(url, ssl, False, asyncio.get_running_loop())

    async def post(self, target: Target, head_lines: bytes, body: bytes) -> Outcome:
        said = json.loads(body)
        self.requests.append((self._clock.now_ms(), target.url, said))
        self.bodies.append(body)
        answer = self.answer(target.url, said)
        if not isinstance(answer, Awaitable):
            return answer
        self.under_way += 1
        try:
            return await answer
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        pass

    def times(self, url: str) -> list[int]:
        """When requests were made to *url*."""
        return [at_ms for at_ms, to, _ in self.requests if to == url]


class Stage:
    """A service whose time the test turns."""

    def __init__(self, data: Path) -> None:
        self.clock = InventedClock()
        self.data = data
        self.sender = ScriptedSender(self.clock)
        self.service = self._made()

    def _made(self) -> Service:
        return Service(
            self.data,
            environment={},
            clock=self.clock,
            alarms=self.clock,
            sender=self.sender,
            jitter=lambda: 0.0,
        )

    async def restart(self) -> None:
        """Stop the service, and start another on what it left."""
        await self.service.stop()
        self.service = self._made()
        await self.service.start()

    async def webhook(self, name: str, *triggers: str) -> tuple[int, str]:
        """A webhook of the portal itself: its number and URL."""
        url = f"https://receiver.example/{name}"
        made = await self.service.office.webhooks.create(
            tenant="1", name=name, url=url, triggers=triggers, secret="S3cret-key-0123456789", by=None
        )
        return made.webhook.number, url

    async def event(self, id: str, type: str = "file.updated") -> Accepted:
        """Accept one event; everybody's webhooks may know of it."""
        event = {"id": id, "type": type, "readers": ["everyone"], "data": {"id": 991, "title": id}}
        (accepted,) = await self.service.office.intake.accept(
            "1", events_of(json.dumps(event).encode(), "1"), ("http", "test")
        )
        assert isinstance(accepted, Accepted), accepted
        return accepted

    async def quiet(self) -> None:
        """Wait until nothing moves any more without the clock."""
        office, dispatch = self.service.office, self.service.carrier.dispatch
        still = 0
        while still < 5:
            before = office.writer.head, len(self.sender.requests)
            await office.writer.settle()
            for follower in office.followers:
                await follower.flush()
            await self.service.carrier.refill.settled()
            await self.service.carrier.reactions.settled()
            # Tasks that became ready meanwhile have their turn.
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
            moved = before != (office.writer.head, len(self.sender.requests))
            busy = moved or dispatch.unrecorded or dispatch.young + dispatch.old != self.sender.under_way
            still = 0 if busy else still + 1

    async def turn_to(self, at_ms: int) -> None:
        """Let time pass, alarm by alarm, until *at_ms*."""
        async with asyncio.timeout(LIMIT_S):
            await self.quiet()
            while (due := self.clock.next_alarm()) is not None and due <= at_ms:
                self.clock.turn_to(due)
                await self.quiet()
            self.clock.turn_to(at_ms)

    async def wait(self, s: float) -> None:
        """Let so many invented seconds pass."""
        await self.turn_to(self.clock.now_ms() + round(s * 1000))

    def story(self, number: int) -> list[object]:
        """The recorded events of a delivery."""
        reader = self.service.office.reader
        created = reader.at([number])[number]
        return [recorded.event for recorded in reader.stream(created.stream)]

    def attempts(self, number: int) -> list[Attempt]:
        """The attempts of a delivery."""
        return [event.attempt for event in self.story(number) if hasattr(event, "attempt")]
