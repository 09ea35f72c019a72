"""Strangers at the door: half requests, no HTTP at all, other people's tokens; and somebody who only asks how it is."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.home import NAME, PORT

if TYPE_CHECKING:
    from tests.simulation.world import World

PATIENCE_S = 60.0
POST = "POST /api/ledger/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n"
NOBODY = "hlt_00000000000000000000000000000000.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


class Strangers:
    """One machine from which they come."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._random = Random(f"{world.plan.seed} strangers")
        self.machine = "strangers"
        world.join("strangers", "strangers.example", self.machine)

    async def live(self, until_s: float) -> None:
        while await self.world.loop.pause_by_chance(self._random, self.world.plan.active_s / 30, until_s):
            said, expected = self._something()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    answer = await self._say(said)
            except (OSError, TimeoutError):
                continue
            status = answer.partition(b"\r\n")[0].split(b" ")[1:2]
            if answer and (not status or int(status[0]) not in (*expected, 503)):
                self.world.fault("strangers are answered", f"{said[:60]!r} is answered {answer[:200]!r}")

    async def _say(self, said: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self.world.names.addresses[NAME], PORT)
        try:
            if writer.is_closing():
                return b""
            writer.write(said)
            if self._random.random() < 0.2:
                return b""
            return await reader.read(1_000)
        finally:
            writer.close()

    def _something(self) -> tuple[bytes, tuple[int, ...]]:
        """What is said, and with which status it may be answered."""
        random = self._random
        token = random.choice(self.world.portals).token
        silent = random.choice([NOBODY, *self.world.revoked])
        event = json.dumps({"id": "stranger", "type": "file.created", "data": {"id": 1}}).encode()
        return random.choice(
            [
                (b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", (200,)),
                (b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n", (200,)),
                (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", (200,)),
                (random.randbytes(200), (400,)),
                (b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000, (400,)),
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400,)),
                (POST.format(silent, len(event)).encode() + event, (401,)),
                (POST.format(token, 10**9).encode() + event, (401, 413)),
                # The rest of it never comes.
                (POST.format(token, len(event) + 9).encode() + event, (400, 401, 408)),
                (POST.format(token, len(event)).encode() + event[:-1] + b"\xff", (400, 401, 422)),
            ]
        )
