"""Portals: they say what happened, and say it again until somebody has answered for it."""

from __future__ import annotations

import asyncio
import json
import socket
from random import Random
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from tests.matching.portal import Portal as Words
from tests.simulation.home import NAME, PORT
from tests.simulation.names import TrueNames
from tests.simulation.wall import BEGINNING_MS

if TYPE_CHECKING:
    from tests.simulation.world import World

URL = f"http://{NAME}:{PORT}/api/ledger/events"
PATIENCE_S = 20.0


class Acknowledged:
    """What a portal was told of one event, and between which true times (seconds) it had asked."""

    __slots__ = ("answer", "answered_s", "asked_s", "id", "tenant")

    def __init__(self, tenant: str, answer: dict[str, Any], asked_s: float, answered_s: float) -> None:
        self.tenant, self.id, self.answer = tenant, answer["id"], answer
        self.asked_s, self.answered_s = asked_s, answered_s


class Portal:
    """One portal's machine, which publishes for its tenant."""

    def __init__(self, world: World, tenant: str, token: str) -> None:
        self.world, self.tenant = world, tenant
        self.machine = f"portal-{tenant}"
        self.token = token
        self._random = Random(f"{world.plan.seed} portal {tenant}")
        self._words = Words(self._random, tenant, self, [])
        self._posting: set[asyncio.Task[None]] = set()
        world.join(self.machine, f"{self.machine}.example", self.machine)

    def now_ms(self) -> int:
        return BEGINNING_MS + int(self.world.loop.now_s * 1000)

    async def live(self, until_s: float) -> None:
        """Publish now and then, and then wait until all of it is acknowledged."""
        loop, random = self.world.loop, self._random
        connector = TCPConnector(resolver=TrueNames(self.world.names), family=socket.AF_INET, use_dns_cache=False)
        async with ClientSession(connector=connector) as session:
            while await loop.pause_by_chance(random, self.world.plan.gap_s, until_s):
                for _ in range(random.choice([1, 1, 1, 2, 3])):
                    task = asyncio.create_task(self._publish(session, self._batch()))
                    self._posting.add(task)
                    task.add_done_callback(self._posting.discard)
            while self._posting:
                await asyncio.wait(set(self._posting))

    def _batch(self) -> bytes:
        if self._random.random() < self.world.plan.bursts:
            return json.dumps([self._busy() for _ in range(self._random.randint(5, 25))]).encode()
        return self._words.batch()

    def _busy(self) -> dict[str, Any]:
        """Many hear of it."""
        event = self._words.dated(self._words.entry())
        return event | {"readers": ["everyone"]}

    async def _publish(self, session: ClientSession, body: bytes) -> None:
        """Post until it is acknowledged."""
        loop, asked = self.world.loop, self.world.loop.now_s
        sent = json.loads(body)
        body, headers = self._in_some_form(sent, body)
        wait_s = 0.2
        while True:
            try:
                timeout = ClientTimeout(total=PATIENCE_S)
                headers["Authorization"] = f"Bearer {self.token}"
                async with session.post(URL, data=body, headers=headers, timeout=timeout) as response:
                    answer = await response.json(content_type=None)
                    status = response.status
            except (ClientError, TimeoutError, OSError) as error:
                status, answer = 0, {"detail": repr(error)}
            if status in (200, 422):
                break
            if status not in (0, 401, 408, 503):
                self.world.fault("portals are answered", f"{status} {answer}")
            await loop.pause(wait_s * self._random.uniform(0.5, 1.5))
            wait_s = min(wait_s * 2, 30)
        self._acknowledged(sent, answer, asked)

    def _in_some_form(self, sent: list[dict[str, Any]], body: bytes) -> tuple[bytes, dict[str, str]]:
        """As an array, or as lines, one of which may be none."""
        if self._random.random() < 0.7:
            return body, {}
        lines = [json.dumps(event) for event in sent]
        if self._random.random() < 0.3:
            place = self._random.randint(0, len(lines))
            lines.insert(place, "no event at all")
            sent.insert(place, {"id": None})
        return "\n".join(lines).encode(), {"Content-Type": "application/x-ndjson"}

    def _acknowledged(self, sent: list[dict[str, Any]], answer: dict[str, Any], asked_s: float) -> None:
        world = self.world
        if [each["id"] for each in answer["events"]] != [each["id"] for each in sent]:
            world.fault("answers are in the order sent", f"{answer}")
        for entry in answer["events"]:
            if "error" not in entry:
                world.acknowledged.append(Acknowledged(self.tenant, entry, asked_s, world.loop.now_s))
            else:
                world.rejected += 1
