"""`serve` as a process: what it says, whom it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import aiohttp
import pytest

from core.data_directory import Lock
from core.operations import deliveries
from core.web import app
from delivery.reception import Reception
from delivery.service import Service
from tests.end_to_end.place import ALLOW, DEADLINE_S, a_portal_event


async def test_an_empty_directory_says_what_to_type_next(place):
    """The first `serve` makes no token, and names the two commands that come next; once both are done, it is silent."""
    serving = await place.serve()
    hints = [await serving.process.stdout.readline() for _ in range(3)]
    assert b"hookledger webhooks create NAME URL" in hints[1]
    assert b"hookledger token create --role portal" in hints[2]
    assert await serving.stop() == 0
    await place.token()
    again = await place.serve()
    assert await again.stop() == 0
    assert (await again.process.stdout.read()).startswith(b"stopped: ")


@pytest.mark.parametrize("level", ["info", "warning"])
async def test_what_is_left_is_said_once(place, level):
    """On a terminal, or in a journal, that shows what it says and its log: its end is one line there."""
    joined = "import os, sys; os.dup2(1, 2);"
    joined += "os.execv(sys.executable, [sys.executable, '-m', 'hookledger', *sys.argv[1:]])"
    process = await place.start_python("-c", joined, "serve", "--port", "0", "--log-level", level)
    async with asyncio.timeout(DEADLINE_S):
        while await process.stdout.readline() != b"ready\n":
            assert process.returncode is None
    process.terminate()
    ran = await place.ended(process)
    assert (ran.code, ran.out.count("0 deliveries wait in the outbox\n")) == (0, 1)


async def test_a_starting_service_is_alive_and_takes_nothing(place):
    """Before the ledger is followed to its head, health says why, and intake asks to come again; then both change."""
    service = Service(place.data, environment={})
    reception = Reception(app.build(service.office, service.readiness), lambda: service.is_ready)
    address = await reception.open_port("127.0.0.1", 0)
    token = (await service.office.tokens.create(tenant="1", role="portal", user=None, by=None))[1]
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with aiohttp.ClientSession(f"http://{address}", headers=headers) as session:
            assert (await session.get("/health/live")).status == 200
            ready = await session.get("/health/ready")
            assert (ready.status, (await ready.json())["reasons"] != []) == (503, True)
            early = await session.post("/api/ledger/events", json=a_portal_event())
            assert (early.status, early.headers["Retry-After"].isdigit()) == (503, True)
            await service.start()
            assert (await session.get("/health/ready")).status == 200
            assert (await session.post("/api/ledger/events", json=a_portal_event())).status == 200
    finally:
        await reception.close()
        await service.stop()


async def test_a_second_serve_is_refused(place):
    """Two services on one data directory cannot be: the second says who holds it and what to do, and ends."""
    serving = await place.serve()
    second = await place.run("serve", "--port", "0")
    assert second.code == 1
    assert f"another process (pid {serving.process.pid}) holds {place.data}" in second.err
    assert "--data" in second.err
    async with aiohttp.ClientSession(serving.url) as session, session.get("/health/ready") as answer:
        assert answer.status == 200


async def test_a_rebuild_needs_serve_stopped(place):
    """Views are made anew only while nobody follows them; afterwards they equal what they were."""
    serving = await place.serve()
    await place.webhook("https://example.com/")
    refused = await place.run("rebuild")
    assert (refused.code, refused.out) == (1, "")
    assert f"pid {serving.process.pid}" in refused.err
    assert await serving.stop() == 0
    done = await place.run("rebuild")
    assert (done.code, done.out.count("equal the old ones")) == (0, 2)


async def test_an_address_in_use_is_said_so(place, receiver):
    """A port that somebody has is named, and the lock is given back."""
    port = receiver.url.rpartition(":")[2]
    refused = await place.run("serve", "--port", port)
    assert refused.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in refused.err
    Lock(place.data).close()


async def test_a_host_that_no_address_can_have_is_said_so(place):
    """Too long a name is refused by the codec for names, not by the system: one line as well."""
    refused = await place.run("serve", "--port", "0", "--host", "a" * 64)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert refused.err.startswith(f"hookledger: cannot listen on {'a' * 64}:0: ")


@pytest.mark.parametrize("words", [("serve", "--port", "0", "--stop-s", "nan"), ("top", "--every", "nan")])
async def test_a_time_is_a_number(place, words):
    """`nan` is within no bounds, though it is beyond none: `serve` would end in a traceback when it is stopped."""
    refused = await place.run(*words)
    assert (refused.code, refused.out, "'nan' is no number" in refused.err) == (2, "", True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_request_under_way_is_finished(place, number):
    """Who asks it to stop ends nobody's request: it answers what it has, takes no other, tells its health, exits 0."""
    token = await place.token()
    serving = await place.serve()
    host, port = serving.url.removeprefix("http://").split(":")
    body = json.dumps(a_portal_event()).encode()
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession(serving.url, headers=headers) as session:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /api/ledger/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n"
            b"Authorization: Bearer %s\r\n\r\n" % (len(body), token.encode())
        )
        assert b"100" in await reader.readuntil(b"\r\n\r\n")
        os.kill(serving.process.pid, number)
        await serving.logs("serve.stopping")
        refused = await session.post("/api/ledger/events", json=a_portal_event("late"))
        assert (refused.status, refused.headers["Connection"]) == (503, "close")
        assert (await refused.json())["detail"].startswith("stopping")
        ready = await session.get("/health/ready")
        assert (ready.status, (await ready.json())["reasons"][0].partition(":")[0]) == (503, "stopping")
        assert (await session.get("/health/live")).status == 200
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 200")
        assert b"Connection: close" in head
        assert await serving.process.wait() == 0


async def test_a_second_signal_does_not_wait(place):
    """While it waits for a receiver that hangs, being told again ends it at once; the delivery is still due after."""
    reached = asyncio.Event()

    async def hang(reader, writer):
        reached.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    await place.webhook(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    serving = await place.serve(*ALLOW)
    headers = {"Authorization": f"Bearer {await place.token()}"}
    async with asyncio.timeout(DEADLINE_S):
        async with aiohttp.ClientSession(serving.url, headers=headers) as session:
            await session.post("/api/ledger/events", json=a_portal_event())
        await reached.wait()
        serving.process.terminate()
        await serving.logs("serve.stopping")
        serving.process.terminate()
        assert await serving.process.wait() == -signal.SIGTERM
    server.close()
    (one,) = (await place.ask(deliveries.LIST, deliveries.ListDeliveries())).deliveries
    assert (one.state, one.attempts) == ("pending", 0)
