"""`hookledger serve` in a process of its own, as the bench sees it: its port, its CPU, its memory."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

START_S = 60
STOP_S = 60
PORT = re.compile(rb"http://127\.0\.0\.1:(\d+)")


class Serving:
    """A running `serve` on a data directory, and a token to publish with."""

    def __init__(
        self,
        data: Path,
        *,
        token: str = "",
        words: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        publishes: bool = True,
    ) -> None:
        """*words*: more of its flags; *environment*: more of its variables, and of those of commands. *publishes*:
        whether it needs a token."""
        self._publishes = publishes
        self._data, self._words = data, words
        self._environment = {**os.environ, **(environment or {})}
        self._process: asyncio.subprocess.Process | None = None
        self._output: asyncio.Task[None] | None = None
        self.port = 0
        self.token = token

    async def __aenter__(self) -> Serving:
        if self._publishes and not self.token:
            self.token = json.loads(await self._command("token", "create", "--role", "portal", "--json"))["token"]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hookledger",
            "serve",
            "--data",
            str(self._data),
            "--port",
            "0",
            "--allow-target",
            "127.0.0.0/8",
            *self._words,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_S):
            while not self.port:
                line = await self._process.stdout.readline()
                if not line:
                    raise RuntimeError("serve ended before it said where it listens")
                if found := PORT.search(line):
                    self.port = int(found[1])
        self._output = asyncio.create_task(self._read_on(self._process.stdout))
        await self._ready()
        return self

    async def _command(self, *words: str) -> bytes:
        return await command(self._data, *words, environment=self._environment)

    async def _read_on(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            sys.stderr.buffer.write(line)

    async def _ready(self) -> None:
        """Ask until it is ready; each question is answered at once."""
        async with asyncio.timeout(START_S):
            while True:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"GET /health/ready HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
                writer.close()
                if answer.startswith(b"HTTP/1.1 200"):
                    return
                await asyncio.sleep(0.01)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_S)
            except TimeoutError:
                self._process.kill()
        if self._output is not None:
            await self._output

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: what it would have waited for is not waited for."""
        assert self._process is not None
        self._process.kill()

    def cpu_s(self) -> float:
        """CPU seconds it has used, all threads."""
        assert self._process is not None
        return cpu_s(self._process.pid)

    def rss_mib(self) -> float:
        """Its resident memory."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


async def command(data: Path, *args: str, environment: Mapping[str, str] | None = None) -> bytes:
    """What a command of ours prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hookledger",
        *args,
        "--data",
        str(data),
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"hookledger {' '.join(args)} ended with {process.returncode}")
    return output


def cpu_s(pid: int) -> float:
    """CPU seconds a process of this machine has used, all threads."""
    text = Path(f"/proc/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
