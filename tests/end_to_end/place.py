"""A data directory, the real command on it in processes of its own, and a receiver that keeps what it gets."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import termios
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from core.ledger import store
from core.operations import delivery_story, tokens, webhooks
from core.operations.operation import Operation
from core.operator import Ledger, ask
from delivery.url_check import url_check_allowing

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20.0
LOOPBACK = ip_network("127.0.0.0/8")
ALLOW = ("--allow-target", "127.0.0.0/8")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
FILE = {"id": 991, "parentId": 310, "rootId": 2, "title": "naïve.docx"}


class Ran(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Serving(NamedTuple):
    """A `serve` that is ready: its address, and what it said first."""

    process: asyncio.subprocess.Process
    url: str
    said: list[str]

    async def logs(self, line: str) -> None:
        """Wait until it has said this line of its log."""
        while line not in (said := (await self.process.stderr.readline()).decode()):
            assert said, f"it never said {line}"

    async def stop(self) -> int:
        self.process.terminate()
        async with asyncio.timeout(DEADLINE_S):
            return await self.process.wait()


class Place:
    """One data directory, which need not be there yet, and the command on it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLEDGER_")}
        self.environment["HOOKLEDGER_DATA"] = str(data)
        self.environment["HOOKLEDGER_CONFIG"] = os.devnull
        self.before: tuple[str, ...] = ()
        """Words that start a command, before the command itself."""
        self._running: list[asyncio.subprocess.Process] = []

    async def start(self, *words: str, **environment: str) -> asyncio.subprocess.Process:
        return await self.start_python("-m", "hookledger", *words, **environment)

    async def start_python(self, *words: str, **environment: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *self.before,
            sys.executable,
            *words,
            cwd=ROOT,
            env={**self.environment, **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._running.append(process)
        return process

    async def run(self, *words: str, stdin: str = "", **environment: str) -> Ran:
        return await self.ended(await self.start(*words, **environment), stdin)

    async def ended(self, process: asyncio.subprocess.Process, stdin: str = "") -> Ran:
        """What a process said, once it has ended."""
        async with asyncio.timeout(3 * DEADLINE_S):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    async def on_terminal(self, *words: str, typed: str = "", columns: int = 80) -> Ran:
        """What a terminal of so many columns shows of a command, without colours; the lines end as elsewhere."""
        ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (50, columns))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hookledger",
            *words,
            cwd=ROOT,
            env={**self.environment, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        self._running.append(process)
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = await asyncio.to_thread(_read_all, ours)
        os.close(ours)
        async with asyncio.timeout(DEADLINE_S):
            code = await process.wait()
        return Ran(code, CONTROL.sub("", shown).replace("\r\n", "\n"), "")

    async def serve(self, *words: str) -> Serving:
        process = await self.start("serve", "--port", "0", *words)
        said: list[str] = []
        async with asyncio.timeout(DEADLINE_S):
            while not said or said[-1] != "ready":
                line = (await process.stdout.readline()).decode()
                assert line, (await process.stderr.read()).decode()
                said.append(line.rstrip("\n"))
        return Serving(process, said[0].removeprefix("listening on "), said)

    async def ask(self, operation: Operation[Any, Any], request: Any) -> Any:
        """What the command of this operation would be answered, without a process of its own."""
        return await ask(
            Ledger(store.Place(self.data), self.environment, url_check_allowing((LOOPBACK,))), operation, request
        )

    async def token(self, role: str = "portal") -> str:
        return (await self.ask(tokens.CREATE, tokens.CreateToken(role, "anna"))).token

    async def webhook(self, url: str, **said: Any) -> webhooks.CreatedWebhook:
        return await self.ask(webhooks.CREATE, webhooks.CreateWebhook("mine", url, ssl=False, **said))

    async def until(self, number: int, state: str) -> Any:
        """The story of a delivery once it is in this state: its outcome is recorded after the receiver answered."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                told = await self.ask(delivery_story.SHOW, delivery_story.ShowDelivery(number))
                if told.state == state:
                    return told

    async def close(self) -> None:
        for process in self._running:
            if process.returncode is None:
                process.kill()
            await process.wait()


class Post(NamedTuple):
    """A request the receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Answers every POST, with 200 unless a test says otherwise, and keeps it."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self._posts: asyncio.Queue[Post] = asyncio.Queue()

    async def hear(self, request: web.Request) -> web.Response:
        self._posts.put_nowait(Post(request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.status, text="thank you")

    async def next(self) -> Post:
        async with asyncio.timeout(DEADLINE_S):
            return await self._posts.get()


def _read_all(terminal: int) -> str:
    shown = b""
    while True:
        try:
            some = os.read(terminal, 65_536)
        except OSError:  # nobody has the other end any more
            some = b""
        if not some:
            return shown.decode()
        shown += some


def a_portal_event(id: str = "e1", type: str = "file.created", **more: Any) -> dict[str, Any]:
    return {"id": id, "type": type, "time": "2026-11-23T10:00:00Z", "data": FILE, **more}
