"""A real `serve` that something is done to, who publishes to it, and a receiver that counts what it gets."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import aiohttp
from aiohttp import web

from core.operations import deliveries
from tests.end_to_end.place import ALLOW, DEADLINE_S, ROOT, Place, Ran, a_portal_event

LONG_S = 2 * DEADLINE_S
SERVE = ("serve", "--port", "0", *ALLOW)


class Answered(NamedTuple):
    """What a request was answered."""

    status: int
    retry_after: str | None
    body: dict


class Past(NamedTuple):
    """What was served before: the directory, a token of it, and the events it knows with their positions."""

    data: Path
    token: str
    known: dict[str, int]


class Receiver:
    """Answers each POST with 200 while it is open for answers; until then it keeps them waiting."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: Counter[str] = Counter()
        """How often each `webhook-id` came."""
        self.titles: Counter[str] = Counter()
        self.answers = asyncio.Event()
        self.answers.set()
        self.status = 200
        self._moved = asyncio.Condition()

    async def open(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._hear)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _hear(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.seen[request.headers["webhook-id"]] += 1
        self.titles[body["payload"]["title"]] += 1
        async with self._moved:
            self._moved.notify_all()
        await self.answers.wait()
        return web.Response(status=self.status, text="ok")

    async def until(self, count: int) -> None:
        """Wait until so many requests came, of whatever."""
        async with asyncio.timeout(LONG_S), self._moved:
            await self._moved.wait_for(lambda: self.seen.total() >= count)

    async def has_all(self, ids: list[str]) -> None:
        """Wait until the events with these ids came."""
        async with asyncio.timeout(LONG_S), self._moved:
            await self._moved.wait_for(lambda: set(ids) <= set(self.titles))

    async def close(self) -> None:
        self.answers.set()
        await self._runner.cleanup()


class Patient:
    """One data directory, `serve` on it, and the portal that publishes."""

    def __init__(self, tmp_path: Path) -> None:
        self.place = Place(tmp_path / "data")
        self.data = self.place.data
        self.receiver = Receiver()
        self.acknowledged: dict[str, int] = {}
        """Events by id: the position they were given."""
        self.known: dict[str, int] = {}
        """Those of before, which were delivered."""
        self.token = ""
        self.url = ""
        self._log = tmp_path / "serve.log"
        self.process: asyncio.subprocess.Process | None = None
        self._running: list[asyncio.subprocess.Process] = []
        self._made = 0
        self._name = tmp_path.name

    async def prepare(self) -> None:
        """A webhook to the receiver, and a token to publish with."""
        await self.place.webhook(f"{self.receiver.url}/hook")
        self.token = await self.place.token()

    async def prepare_with(self, past: Past) -> None:
        """The same on a ledger that has been served."""
        shutil.copytree(past.data, self.data, ignore=shutil.ignore_patterns("*.sock"))
        self.known = past.known
        await self.place.webhook(f"{self.receiver.url}/hook")
        self.token = past.token

    async def serve(self, *launcher: str) -> None:
        """Start `serve`, by *launcher* if given, and wait until it is ready."""
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *(launcher or ("-m", "hookledger")), *SERVE,
                cwd=ROOT, env=self.place.environment, stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self.process = process
        self._running.append(process)
        async with asyncio.timeout(LONG_S):
            while (line := (await process.stdout.readline()).decode()) != "ready\n":
                assert line, self.log
                if line.startswith("listening on "):
                    self.url = line.split()[-1]

    async def refused(self, *launcher: str) -> str:
        """Start `serve`, which is not to start: the one line it says instead."""
        words = (*(launcher or ("-m", "hookledger")), *SERVE)
        ran: Ran = await self.place.ended(await self.place.start_python(*words))
        assert ran.code == 1, ran
        assert "Traceback" not in ran.err, ran.err
        (line,) = [line for line in ran.err.splitlines() if line.startswith("hookledger: ")]
        assert ran.err.endswith(f"{line}\n")
        return line.removeprefix("hookledger: ")

    async def is_mended(self) -> None:
        """Whoever opens the directory now finds what was there before."""
        asked = deliveries.ListDeliveries(limit=1_000)
        listed = await self.place.ask(deliveries.LIST, asked)
        assert {one.id for one in listed.deliveries if one.state == "delivered"} == {
            at + 1 for at in self.known.values()
        }

    @property
    def log(self) -> str:
        """What `serve` logged, all starts together."""
        return self._log.read_text()

    def limit_files(self, size: int = resource.RLIM_INFINITY) -> None:
        """From here on no file of `serve` may grow past so many bytes, or any size again."""
        if self.process.returncode is None:
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    async def publish(self, count: int = 1) -> Answered:
        """So many events in one request."""
        events = []
        for _ in range(count):
            self._made += 1
            id = f"{self._name}-{self._made}"
            events.append(a_portal_event(id, data={"id": self._made, "parentId": 310, "title": id}))
        return await self.send(events)

    async def send(self, events: list[dict]) -> Answered:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with (
            aiohttp.ClientSession(self.url, headers=headers) as session,
            session.post("/api/ledger/events", json=events) as answer,
        ):
            body = await answer.json(content_type=None)
            if answer.status == 200:
                new = [one for one in body["events"] if "duplicate" not in one]
                self.acknowledged |= {one["id"]: one["position"] for one in new}
            return Answered(answer.status, answer.headers.get("Retry-After"), body)

    async def accept(self, count: int = 1) -> None:
        """So many events, which are to be accepted."""
        answer = await self.publish(count)
        assert answer.status == 200, answer

    async def ready(self) -> Answered:
        async with aiohttp.ClientSession(self.url) as session, session.get("/health/ready") as answer:
            return Answered(answer.status, None, await answer.json())

    async def until_ready(self) -> None:
        async with asyncio.timeout(LONG_S):
            while (await self.ready()).status != 200:
                pass

    async def until_not_ready(self, words: str) -> str:
        """Wait until readiness gives a reason with these words: the reason."""
        async with asyncio.timeout(LONG_S):
            while True:
                for reason in (await self.ready()).body.get("reasons", []):
                    if words in reason:
                        return reason

    async def all_delivered(self) -> None:
        """Everything acknowledged arrives, is listed as delivered, and nothing came twice."""
        await self.receiver.has_all(list(self.acknowledged))
        async with asyncio.timeout(LONG_S):
            while True:
                asked = deliveries.ListDeliveries(limit=1_000)
                listed = await self.place.ask(deliveries.LIST, asked)
                states = {one.id: one.state for one in listed.deliveries}
                if all(states.get(at + 1) == "delivered" for at in self.acknowledged.values()):
                    break
        assert set(self.receiver.seen.values()) == {1}

    async def stop(self) -> str:
        """End in order, with exit code 0, and no traceback in all of its log: what it says at the end."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LONG_S):
            assert await self.process.wait() == 0, self.log
        assert "Traceback" not in self.log, self.log
        return (await self.process.stdout.read()).decode()

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def close(self) -> None:
        for process in self._running:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await self.place.close()
        await self.receiver.close()
