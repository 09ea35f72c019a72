"""Settings as `serve` and the commands take them: each does what it says."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import aiohttp
from aiohttp import web

from core.limits import SLOW_MS
from core.settings import Settings
from delivery.rows import Row
from delivery.serve import service_of
from tests.end_to_end.place import ALLOW, DEADLINE_S, Place, a_portal_event

MIB = 1024 * 1024


async def publish(place, serving, *events):
    headers = {"Authorization": f"Bearer {await place.token()}"}
    async with aiohttp.ClientSession(serving.url, headers=headers) as session:
        assert (await session.post("/api/ledger/events", json=list(events))).status == 200


async def test_every_command_finds_the_ledger_of_the_file(tmp_path):
    """What `serve` reads from a file the other commands read too; a flag still wins, and `serve` says what it read."""
    place = Place(tmp_path / "never")
    del place.environment["HOOKLEDGER_DATA"]
    file = tmp_path / "my.toml"
    file.write_text('data = "ours"\nallow_target = ["127.0.0.0/8"]\nport = 1\n')
    place.environment["HOOKLEDGER_CONFIG"] = str(file)
    try:
        serving = await place.serve()
        assert serving.said[1:3] == [f"the ledger is in {tmp_path / 'ours'}", f"settings are from {file}"]
        made = await place.run("webhooks", "create", "mine", "http://127.0.0.1:9/", "--no-ssl")
        assert made.code == 0, made.err
        listed = await place.run("webhooks", "list", "--json")
        assert [one["name"] for one in listed.json] == ["mine"]
        elsewhere = await place.run("webhooks", "list", "--data", str(tmp_path / "other"))
        assert elsewhere.code == 1
        assert await serving.stop() == 0
    finally:
        await place.close()


async def test_a_wrong_file_stops_every_command_before_it_begins(place, tmp_path):
    """One line with file and key, exit code 2, and no data directory made."""
    file = tmp_path / "my.toml"
    file.write_text("port = 8420\nhots = 'x'\n")
    for words in (("serve",), ("token", "create", "--role", "portal"), ("config",)):
        ran = await place.run(*words, "--config", str(file))
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == f"hookledger: {file}: 'hots' is no setting; what comes near: host\n"
    assert not place.data.exists()


async def test_no_more_young_requests_than_it_says(place):
    """With `young_requests_max` 1, a second webhook's request waits until the first is so old that it is slow."""
    loop = asyncio.get_running_loop()
    begun, both = [], asyncio.Event()

    async def answer(_):
        begun.append(loop.time())
        if len(begun) == 2:
            both.set()
        await both.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    for name in ("a", "b"):
        await place.webhook(f"http://127.0.0.1:{port}/{name}")
    place.environment["HOOKLEDGER_YOUNG_REQUESTS_MAX"] = "1"
    serving = await place.serve(*ALLOW)
    await publish(place, serving, a_portal_event())
    async with asyncio.timeout(DEADLINE_S):
        await both.wait()
    await runner.cleanup()
    # a little less, for the time that the first one took to get here
    assert begun[1] - begun[0] > 0.8 * SLOW_MS / 1000


async def test_requests_that_wait_take_no_more_memory_than_it_says(place):
    """With `intake_bytes_max` 8 MiB, a second request of 5 MiB is answered 503 while the first is on its way."""
    token = await place.token()
    serving = await place.serve("--intake-bytes-max", str(8 * MIB))
    host, port = serving.url.removeprefix("http://").split(":")
    head = b"POST /api/ledger/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nAuthorization: Bearer %s\r\n\r\n"

    async def send(count):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head % (count, token.encode()) + b"[" + b" " * (count - 2))
        await writer.drain()
        return reader, writer

    async with asyncio.timeout(DEADLINE_S):
        first, first_writer = await send(5 * MIB)
        second, second_writer = await send(5 * MIB)
        first_said = asyncio.ensure_future(first.readuntil(b"}"))
        second_said = asyncio.ensure_future(second.readuntil(b"}"))
        done, _ = await asyncio.wait((first_said, second_said), return_when=asyncio.FIRST_COMPLETED)
        (refused,) = done
        assert b"503" in refused.result().split(b"\r\n")[0]
        assert b'"limit":"INTAKE_BYTES_MAX"' in refused.result()
        other, its_writer = (second_said, second_writer) if refused is first_said else (first_said, first_writer)
        its_writer.write(b"]")
        assert b"200" in (await other).split(b"\r\n")[0]
        for writer in (first_writer, second_writer):
            writer.close()


async def test_due_deliveries_take_no_more_memory_than_it_says(tmp_path):
    """With `ready_bytes_max` at its least, rows of that many bytes are kept ready, and the others wait on disk."""
    service = service_of(Settings(data=tmp_path / "data", ready_bytes_max=MIB))
    service.carrier.dispatch.is_open = True
    content = SimpleNamespace(payload=bytes(64 * 1024))
    taken = 0
    for number in range(1, 101):
        row = Row(number, number, b"delivery", b"event", 1, 1, 0)
        row.content = content
        # One that may go out at once there is always room for: its lane has one already.
        service.carrier.dispatch.lane(number).ready.append(row)
        taken += service.carrier.dispatch.offer(row)
    assert taken == MIB // (64 * 1024)
    await service.stop()


async def test_a_stop_waits_no_longer_than_it_says(place):
    """With `stop_s` 0.2, a receiver that hangs does not keep `serve` from its end; the delivery is due again after."""
    reached = asyncio.Event()

    async def hang(reader, writer):
        reached.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    await place.webhook(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    serving = await place.serve(*ALLOW, "--stop-s", "0.2", "--log-level", "error")
    await publish(place, serving, a_portal_event())
    async with asyncio.timeout(DEADLINE_S):
        await reached.wait()
        assert await serving.stop() == 0
    server.close()
    # and nothing that is only worth an info was logged
    assert await serving.process.stderr.read() == b""
