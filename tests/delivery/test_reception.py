"""Connections to the public port: who may stay, who has to go, and what they are told."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from core.web.app import problems
from delivery.connections import Connections
from delivery.reception import Reception

LIMIT_S = 10.0
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
KNOWN = b"GET /known HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer of-somebody\r\n\r\n"
UNKNOWN = b"GET /unknown HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer of-nobody\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"


async def a_moment() -> None:
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, passed.set)
    await passed.wait()


class Client:
    """One connection, and what comes on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = dict(line.split(": ", 1) for line in lines)
        return int(first.split()[1]), headers, await self.reader.readexactly(int(headers["Content-Length"]))

    async def is_closed(self) -> bool:
        """Whether the other side closes it, in time; nothing comes before that."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


class Port:
    """A reception on a port, in front of an application with a slow page and two that know who asks."""

    def __init__(self, connections: Connections) -> None:
        self.slow = asyncio.Event()
        application = web.Application(middlewares=[problems])
        application.router.add_get("/health/live", self._says(200))
        application.router.add_get("/known", self._says(200))
        application.router.add_get("/unknown", self._says(401))
        application.router.add_get("/slow", self._slowly)
        self.reception = Reception(application, lambda: True, connections)
        self._stack = AsyncExitStack()

    def _says(self, status: int):
        async def say(_: web.Request) -> web.Response:
            return web.Response(status=status, body=b"!")

        return say

    async def _slowly(self, _: web.Request) -> web.Response:
        await self.slow.wait()
        return web.Response(body=b"at last")

    async def __aenter__(self) -> Port:
        await self._stack.enter_async_context(asyncio.timeout(LIMIT_S))
        self.address = await self.reception.open_port("127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.slow.set()
        await self.reception.close()
        await self._stack.__aexit__(*error)

    async def connect(self) -> Client:
        host, port = self.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        self._stack.callback(writer.close)
        return Client(reader, writer)


async def test_the_longest_idle_stranger_makes_room():
    """At the limit a new connection is served, and that of the stranger who has been silent longest is closed."""
    async with Port(Connections(3)) as port:
        clients = [await port.connect() for _ in range(3)]
        for client in clients:
            assert (await client.ask(HEALTH))[0] == 200
        await clients[0].ask(HEALTH)
        new = await port.connect()
        assert (await new.ask(HEALTH))[0] == 200
        assert await clients[1].is_closed()
        for client in (clients[0], clients[2], new):
            assert (await client.ask(HEALTH))[0] == 200
        assert (port.reception.connections.open, port.reception.connections.made_room) == (3, 1)


async def test_strangers_make_room_before_those_who_said_who_they_are():
    """A flood of silent connections does not end that of a portal, however long the portal has been silent."""
    async with Port(Connections(3)) as port:
        portal, pretender = await port.connect(), await port.connect()
        await portal.ask(KNOWN)
        await pretender.ask(UNKNOWN)
        flood = [await port.connect() for _ in range(20)]
        assert await pretender.is_closed()
        assert all([await client.is_closed() for client in flood[:-2]])
        assert (await portal.ask(KNOWN))[0] == 200
    async with Port(Connections(2)) as port:
        first, second = await port.connect(), await port.connect()
        await first.ask(KNOWN)
        await second.ask(KNOWN)
        third = await port.connect()
        assert (await third.ask(KNOWN))[0] == 200
        assert await first.is_closed(), "among equals it is the longest idle"


async def test_requests_under_way_do_not_make_room():
    """Where all connections are in use, a new one is told so, and those in use are answered."""
    async with Port(Connections(2)) as port:
        busy = [await port.connect() for _ in range(2)]
        for client in busy:
            client.writer.write(SLOW)
        while port.reception.under_way < 2:
            await a_moment()
        refused = await port.connect()
        status, headers, body = await refused.answer()
        assert (status, headers["Connection"], headers["Retry-After"]) == (503, "close", "1")
        assert headers["Content-Type"] == "application/problem+json"
        assert json.loads(body)["limit"] == "CONNECTIONS_MAX"
        assert await refused.is_closed()
        port.slow.set()
        assert [(await client.answer())[0] for client in busy] == [200, 200]
        assert (await (await port.connect()).ask(HEALTH))[0] == 200
        assert port.reception.connections.turned_away == 1


@pytest.mark.parametrize("first", [b"", HEALTH], ids=["at once", "after a request"])
async def test_the_head_of_a_request_has_so_long_to_come(first):
    """A connection on which nothing comes, or too slowly, is closed in time; one that is in use is not."""
    async with Port(Connections(10, idle_s=0.2)) as port:
        busy = await port.connect()
        busy.writer.write(SLOW)
        silent, slow = await port.connect(), await port.connect()
        for client in (silent, slow):
            if first:
                await client.ask(first)
        dripping = asyncio.create_task(_drip(slow))
        assert await silent.is_closed()
        assert await slow.is_closed()
        dripping.cancel()
        port.slow.set()
        assert (await busy.answer())[2] == b"at last"


async def _drip(client: Client) -> None:
    client.writer.write(b"GET / HTTP/1.1\r\n")
    while True:
        await a_moment()
        client.writer.write(b"X: y\r\n")


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
        b"GET / HTTP/9.9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Null: a\0b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 9_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
    ids=["text", "tls", "version", "null", "length", "smuggling", "long header", "long path", "many headers"],
)
async def test_what_is_no_http_is_answered_as_a_problem(said):
    """Whatever a stranger sends: 400 with a problem that says so, and the connection is closed."""
    async with Port(Connections()) as port:
        client = await port.connect()
        status, headers, body = await client.ask(said)
        assert (status, headers["Content-Type"]) == (400, "application/problem+json")
        problem = json.loads(body)
        assert problem["status"] == 400
        assert problem["detail"].startswith("this is not an HTTP request: ")
        assert await client.is_closed()


async def test_a_reception_that_retires_tells_its_health_and_nothing_else():
    """Once it is to stop, what has come is answered, what comes is refused, health is told; each connection ends."""
    async with Port(Connections()) as port:
        busy, idle, asking = [await port.connect() for _ in range(3)]
        busy.writer.write(SLOW)
        while not port.reception.under_way:
            await a_moment()
        port.reception.retire()
        finishing = asyncio.create_task(port.reception.finish())
        status, headers, body = await idle.ask(KNOWN)
        assert (status, headers["Connection"], json.loads(body)["detail"][:8]) == (503, "close", "stopping")
        assert (await asking.ask(HEALTH))[0] == 200
        assert await asking.is_closed()
        assert not finishing.done()
        port.slow.set()
        status, headers, _ = await busy.answer()
        assert (status, headers["Connection"]) == (200, "close")
        await finishing
