"""One process of the service: started again whenever it has ended, killed, paused, told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import aiohttp

from core.clock import SystemClock
from core.ledger.store import Database
from tests.end_to_end.place import ALLOW, ROOT
from tests.postgres import ENVIRONMENT

STOP_S = 2
"""How long it is told to wait for what is under way."""
ASK_S = 2.0
"""How long an answer about its health is waited for."""


def now_s() -> float:
    """Seconds, as all processes of this machine count them."""
    return SystemClock().now_ms() / 1_000


class Ended(NamedTuple):
    """How a process came to its end: its exit code, whether it was told to, whether it had started, its last line."""

    name: str
    code: int
    was_told: bool
    had_started: bool
    began: float
    ended: float
    last_said: str


class Member:
    """A place among those that share the ledger, with a data directory; one process after the other takes it."""

    def __init__(
        self, name: str, roles: tuple[str, ...], folder: Path, database: Database, words: Sequence[str] = ()
    ) -> None:
        """*words*: more that its command is told."""
        self.name, self.takes_events = name, not roles or "api" in roles
        self.carries = not roles or "outbox" in roles
        self.data, self.log = folder / name, folder / f"{name}.log"
        self._words = [*words, *(word for role in roles for word in ("--role", role))]
        self._environment = {key: said for key, said in os.environ.items() if not key.startswith("HOOKLEDGER_")}
        self._environment |= {**ENVIRONMENT, "HOOKLEDGER_CONFIG": os.devnull, "PYTHONFAULTHANDLER": "1"}
        self._environment |= {"HOOKLEDGER_DATABASE": database.url, "HOOKLEDGER_SCHEMA": database.schema}
        self.process: asyncio.subprocess.Process | None = None
        self.url: str | None = None
        """Where it listens; None: nobody does just now."""
        self.has_started = self.is_paused = False
        self.ends: list[Ended] = []
        self._was_told = self._is_over = False

    async def keep(self) -> None:
        """See that there is always a process, until `end_for_good`."""
        while not self._is_over:
            began = now_s()
            self._was_told = self.has_started = False
            with self.log.open("ab") as log:
                self.process = process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "hookledger", "serve", "--data", str(self.data), "--port", "0",
                    "--stop-s", str(STOP_S), *ALLOW, *self._words,
                    cwd=ROOT, env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=log,
                )  # fmt: skip
                while line := await process.stdout.readline():
                    log.write(b"%.3f %s" % (now_s(), line))
                    log.flush()
                    if line.startswith(b"listening on "):
                        self.url = line.split()[-1].decode()
                    self.has_started |= line == b"ready\n" or line.startswith(b"not ready: ")
            self.url = None
            code = await process.wait()
            ended, last_said = now_s(), (self.said() or [""])[-1]
            self.ends.append(Ended(self.name, code, self._was_told, self.has_started, began, ended, last_said))

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def signal(self, number: int) -> None:
        if self.is_running:
            self._was_told |= number in (signal.SIGKILL, signal.SIGTERM)
            self.process.send_signal(number)

    def stop_keeping(self) -> None:
        """Start no process after this one."""
        self._is_over = True

    async def ready(self) -> tuple[int, list[str]] | None:
        """What it says of itself; None: nothing."""
        return await self._ask("/health/ready")

    async def leads(self) -> bool:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ASK_S)) as session:
            try:
                async with session.get(f"{self.url}/metrics") as answer:
                    return "hookledger_leads 1.0\n" in await answer.text()
            except (aiohttp.ClientError, TimeoutError):
                return False

    async def _ask(self, path: str) -> tuple[int, list[str]] | None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ASK_S)) as session:
            try:
                async with session.get(f"{self.url}{path}") as answer:
                    return answer.status, (await answer.json()).get("reasons", [])
            except (aiohttp.ClientError, TimeoutError):
                return None

    def led(self) -> list[tuple[float, str]]:
        """When it began to lead, each time, and its name."""
        times = [line.split()[0] for line in self.said() if " leader.leads:" in line]
        return [(datetime.fromisoformat(time).timestamp(), self.name) for time in times]

    def said(self) -> list[str]:
        """All lines of all its processes."""
        return self.log.read_text(errors="replace").splitlines()
