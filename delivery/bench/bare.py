"""The measure of all things here: a bare `ClientSession` loop that posts the same bytes and keeps nothing."""

from __future__ import annotations

import asyncio
import os
import time
from typing import NamedTuple

import aiohttp

from core.clock import SystemClock
from core.wire.headers import headers
from core.wire.signature import Signer

IN_FLIGHT = (20, 50, 100)


class Pace(NamedTuple):
    """Requests per second of wall time, and CPU of the process for each."""

    per_s: float
    cpu_us: float


async def bare(urls: list[str], secret: str, body: bytes, count: int) -> Pace:
    """The best of several numbers of requests in flight, `count` requests each."""
    paces = [await _run(urls, secret, body, count, in_flight) for in_flight in IN_FLIGHT]
    return max(paces)


async def _run(urls: list[str], secret: str, body: bytes, count: int, in_flight: int) -> Pace:
    signer, clock = Signer(secret), SystemClock()
    numbers = iter(range(count))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def post() -> None:
            for number in numbers:
                lines = headers(os.urandom(16), number, "2026-11-24T08:00:00Z", clock.now_ms(), body, signer)
                async with session.post(
                    urls[number % len(urls)],
                    data=body,
                    headers=dict(lines),
                    skip_auto_headers=("User-Agent", "Accept-Encoding"),
                    allow_redirects=False,
                ) as response:
                    await response.read()

        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(post() for _ in range(in_flight)))
        return Pace(count / (time.perf_counter() - started), (time.process_time() - cpu) / count * 1e6)
