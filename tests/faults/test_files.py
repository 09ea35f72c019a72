"""Too few open files: the service shares out what it has, waits where there is none, and goes on when there is."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from contextlib import AsyncExitStack

import aiohttp

from tests.end_to_end.place import ALLOW, DEADLINE_S, a_portal_event
from tests.faults.live import Mailbox

FEW = 256
HANGING = 100
WITH_FEW = ("sh", "-c", f'ulimit -n {FEW}; exec "$@"', "sh")


def open_files(process: asyncio.subprocess.Process) -> int:
    return len(os.listdir(f"/proc/{process.pid}/fd"))


class Silent:
    """A receiver that takes connections and says nothing."""

    def __init__(self) -> None:
        self.port = 0
        self.taken = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Silent:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1_024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _connected(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        self._writers.append(writer)


async def test_few_files_are_shared_out(place, mailbox):
    """With 256 files, a hundred receivers that hang and three hundred idle clients at once: the good receiver gets
    everything, the portal is answered, the service is ready, and at no time has it more files open than it may."""
    place.before = WITH_FEW
    async with AsyncExitStack() as stack:
        silent = await stack.enter_async_context(Silent())
        await stack.enter_async_context(asyncio.timeout(3 * DEADLINE_S))
        for number in range(HANGING):
            await place.webhook(f"http://127.0.0.1:{silent.port}/{number}", triggers=["file.updated"])
        await place.webhook(f"http://127.0.0.1:{mailbox.port}/")
        token = await place.token()
        serving = await place.serve(*ALLOW, "--stop-s", "0")
        host, port = serving.url.removeprefix("http://").split(":")
        session = await stack.enter_async_context(
            aiohttp.ClientSession(serving.url, headers={"Authorization": f"Bearer {token}"})
        )
        # It is known to be quick before the others are known to hang.
        await session.post("/api/ledger/events", json=a_portal_event())
        files, sent = 0, 1
        for round_ in range(30):
            for _ in range(10):
                _, writer = await asyncio.open_connection(host, int(port))
                stack.callback(writer.close)
            events = [a_portal_event(f"{round_} {n}", "file.updated") for n in range(10)]
            answer = await session.post("/api/ledger/events", json=events)
            assert answer.status == 200
            sent += len(events)
            assert (await session.get("/health/ready")).status == 200
            files = max(files, open_files(serving.process))
        while len(mailbox.came) < sent or silent.taken < 20:
            assert (await session.get("/health/ready")).status == 200
            files = max(files, open_files(serving.process))
        assert 90 < files <= FEW
        assert await serving.stop() == 0
        said = (await serving.process.stderr.read()).decode()
        assert "too many open files" not in said.lower()


async def test_no_file_is_no_attempt(place, mailbox):
    """When no other file can be opened, portal events are still taken; their deliveries wait, readiness says why, and
    they go out, each attempted once, as soon as files are to be had again."""
    await place.webhook(f"http://127.0.0.1:{mailbox.port}/first", triggers=["file.created"])
    token = await place.token()
    serving = await place.serve(*ALLOW)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        asyncio.timeout(DEADLINE_S),
        aiohttp.ClientSession(serving.url, headers=headers) as portal,
        Mailbox() as other,
    ):
        await place.webhook(f"http://127.0.0.1:{other.port}/", triggers=["file.updated"])
        # What a process reads once, it has read before it comes to this.
        assert (await portal.post("/api/ledger/events", json=a_portal_event("first"))).status == 200
        resource.prlimit(serving.process.pid, resource.RLIMIT_NOFILE, (1, hard))
        events = [a_portal_event(f"e{n}", "file.updated") for n in range(20)]
        answer = await portal.post("/api/ledger/events", json=events)
        assert answer.status == 200
        numbers = [event["position"] + 1 for event in (await answer.json())["events"]]
        while (ready := await portal.get("/health/ready")).status == 200:
            await ready.read()
        why = "deliveries wait: too many open files: `ulimit -n` says how many there may be"
        assert (await ready.json())["reasons"] == [why]
        assert other.came == {}
        resource.prlimit(serving.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        while await (await portal.get("/health/ready")).read() != b'{"ready":true}':
            pass
        assert sorted(other.came) == numbers
        async with aiohttp.ClientSession(serving.url) as another:
            assert (await another.get("/health/live")).status == 200
    told = await place.until(numbers[0], "delivered")
    assert [step.status for step in told.steps] == [200]
    assert await serving.stop() == 0


async def test_hardly_any_files_are_refused(place):
    """A process that cannot open enough files says how many it needs, and does not start."""
    place.before = ("sh", "-c", 'ulimit -n 100; exec "$@"', "sh")
    refused = await place.run("serve", "--port", "0")
    assert refused.code == 1
    assert "this process may open 100 files, and needs at least 128: raise it with `ulimit -n`" in refused.err
    assert json.dumps("Traceback") not in refused.err
