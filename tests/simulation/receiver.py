"""Receivers of webhooks: machines with a small HTTP server of their own, and a log of all that came."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.simulation.moods import Reply, reply
from tests.simulation.wall import BEGINNING_MS

if TYPE_CHECKING:
    from tests.simulation.world import World

PORT = 80
INFINITE = float("inf")


class Arrival:
    """One request that came: true times in seconds. `sender` is the machine it came from; `hung_up_s` is when the
    connection was seen to end before the answer had gone out."""

    __slots__ = (
        "answered_s", "at_s", "attempt", "body", "delivery", "hung_up_s", "is_fresh_line", "line_ended_s", "number",
        "reply", "sender", "signature", "stamp_s", "url",
    )  # fmt: skip

    def __init__(self, at_s: float, sender: str, path: str, head: dict[str, str], body: bytes) -> None:
        said = json.loads(body)
        self.at_s = at_s
        self.sender = sender
        self.url = f"http://{head['host']}{path}"
        self.body = body
        self.delivery = head["webhook-id"]
        self.stamp_s = int(head["webhook-timestamp"])
        self.signature = head["x-docspace-signature-256"]
        self.number: int = said["event"]["id"]
        self.attempt: int = said["webhook"].get("retryCount", 0) + 1
        self.reply = Reply()
        self.answered_s = INFINITE
        """When the first byte of an answer went out, or the connection was ended instead of it."""
        self.hung_up_s = INFINITE
        self.line_ended_s = INFINITE
        """When its connection ended, whoever ended it."""
        self.is_fresh_line = True

    @property
    def ended_s(self) -> float:
        return min(self.answered_s, self.hung_up_s)

    def __repr__(self) -> str:
        return f"delivery {self.number} attempt {self.attempt} from {self.sender} at {self.at_s:.3f} s"


class Receiver:
    """One name, and one machine after the other that stands for it."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.host = f"{name}.example"
        self.moods: dict[str, str] = {}
        """By path."""
        self.machine = ""
        self.lines: dict[Line, None] = {}
        self._boots = 0
        self._server: Any = None

    def mood(self, path: str) -> str:
        return self.moods.get(path, "good")

    async def boot(self) -> None:
        """Run on a new machine."""
        world = self.world
        self._boots += 1
        self.machine = f"{self.name}-{self._boots}"
        world.join(self.name, self.host, self.machine)
        await world.loop.net.host(self.machine).create_task(self.listen())

    async def listen(self) -> None:
        """Take connections; on its own machine."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Line(self.world, self), "127.0.0.1", PORT)

    def refuse(self) -> None:
        """Take no more connections; those that are there stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def is_listening(self) -> bool:
        return self._server is not None

    def crash(self, *, is_power_cut: bool) -> None:
        self._server = None
        for line in list(self.lines):
            line.end()
        self.world.loop.kill(self.machine, is_power_cut=is_power_cut)


class Line(asyncio.Protocol):
    """One connection to a receiver."""

    def __init__(self, world: World, receiver: Receiver) -> None:
        self._world, self._receiver = world, receiver
        self._seen = b""
        self._transport: Any = None
        self._answering: Arrival | None = None
        self._last: Arrival | None = None
        self._requests = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._receiver.lines[self] = None

    def data_received(self, data: bytes) -> None:
        self._seen += data
        end = self._seen.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *lines = self._seen[:end].decode().split("\r\n")
        head = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(head["content-length"])
        if len(self._seen) < end + 4 + length:
            return
        body, self._seen = self._seen[end + 4 : end + 4 + length], self._seen[end + 4 + length :]
        self._arrived(first.split(" ")[1], head, body)

    def _arrived(self, path: str, head: dict[str, str], body: bytes) -> None:
        world, now = self._world, self._world.loop.now_s
        arrival = Arrival(now, self._transport.get_extra_info("peername")[0], path, head, body)
        self._requests += 1
        arrival.is_fresh_line = self._requests == 1
        if self._answering is not None:
            world.fault("one request at a time on a connection", f"{arrival!r} while {self._answering!r}")
        world.arrivals.append(arrival)
        receiver = self._receiver
        arrival.reply = reply(receiver.mood(path), world.receiver_random, BEGINNING_MS / 1000 + now)
        self._answering = self._last = arrival
        self._next(arrival, 0)

    def _next(self, arrival: Arrival, piece: int) -> None:
        """One piece of the answer after the other."""
        said = arrival.reply
        if piece < len(said.pieces):
            wait_s, data = said.pieces[piece]
            asyncio.get_running_loop().call_later(wait_s, self._send, arrival, piece, data)

    def _send(self, arrival: Arrival, piece: int, data: bytes) -> None:
        if self._transport.is_closing():
            return
        said = arrival.reply
        self._transport.write(data)
        arrival.answered_s = min(arrival.answered_s, self._world.loop.now_s)
        if piece == said.whole and self._answering is arrival:
            self._answering = None
        if piece + 1 < len(said.pieces):
            self._next(arrival, piece + 1)
            return
        if self._answering is arrival:
            self._answering = None
        if said.ending == "close":
            self._transport.close()
        elif said.ending == "reset":
            self._transport.abort()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.end()

    def end(self) -> None:
        """The connection is no more."""
        self._receiver.lines.pop(self, None)
        if self._last is not None:
            self._last.line_ended_s = self._world.loop.now_s
        if self._answering is not None:
            self._answering.hung_up_s = self._world.loop.now_s
            self._answering = None
