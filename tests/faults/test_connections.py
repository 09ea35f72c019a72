"""Strangers who open connections to the port and do nothing with them, while a portal publishes."""

from __future__ import annotations

import asyncio
import resource
from contextlib import AsyncExitStack

import aiohttp

from core.limits import CONNECTIONS_MAX
from tests.end_to_end.place import DEADLINE_S, a_portal_event
from tests.faults.test_files import open_files

IDLE = 2_000
SOON_S = 2.0
"""Far more than a portal event takes on a busy machine."""


async def test_idle_connections_do_not_keep_a_portal_out(place):
    """While two thousand connections are opened and left idle, a portal goes on publishing, over its old connection and
    over new ones; the service is ready, and holds no more connections than its limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    token = await place.token()
    serving = await place.serve()
    before = open_files(serving.process)
    host, port = serving.url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    headers = {"Authorization": f"Bearer {token}"}
    took, files, made = [], 0, []
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_kept_in(made))
    async with AsyncExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        await stack.enter_async_context(asyncio.timeout(2 * DEADLINE_S))
        portal = await stack.enter_async_context(
            aiohttp.ClientSession(serving.url, headers=headers, trace_configs=[trace])
        )
        for number in range(40):
            for _ in range(IDLE // 40):
                _, writer = await asyncio.open_connection(host, int(port))
                stack.callback(writer.close)
            started = loop.time()
            async with portal.post("/api/ledger/events", json=a_portal_event(f"old {number}")) as answer:
                assert answer.status == 200
            async with aiohttp.ClientSession(serving.url, headers=headers) as new:
                assert (await new.post("/api/ledger/events", json=a_portal_event(f"new {number}"))).status == 200
                assert (await new.get("/health/ready")).status == 200
            took.append(loop.time() - started)
            files = max(files, open_files(serving.process))
    assert max(took) < SOON_S
    assert len(made) == 1, "its connection was taken from it"
    assert CONNECTIONS_MAX < files <= before + CONNECTIONS_MAX + 20
    assert await serving.stop() == 0


def _kept_in(made: list):
    async def keep(_session, _context, params) -> None:
        made.append(params)

    return keep


async def test_half_requests_do_not_keep_a_portal_out(place):
    """Nor do a thousand that begin a request and never end it, in its head or in the body of one that is refused."""
    token = await place.token()
    serving = await place.serve()
    host, port = serving.url.removeprefix("http://").split(":")
    halves = (
        b"POST /api/ledger/events HTTP/1.1\r\nHost: x\r\nX-Slow",
        b"POST /api/ledger/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf",
    )
    headers = {"Authorization": f"Bearer {token}"}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(2 * DEADLINE_S))
        portal = await stack.enter_async_context(aiohttp.ClientSession(serving.url, headers=headers))
        for number in range(CONNECTIONS_MAX + 200):
            _, writer = await asyncio.open_connection(host, int(port))
            stack.callback(writer.close)
            writer.write(halves[number % len(halves)])
            if number % 50 == 0:
                answer = await portal.post("/api/ledger/events", json=a_portal_event(f"{number}"))
                assert answer.status == 200
        async with aiohttp.ClientSession(serving.url, headers=headers) as new:
            assert (await new.post("/api/ledger/events", json=a_portal_event("new"))).status == 200
            assert (await new.get("/health/ready")).status == 200
    assert await serving.stop() == 0
