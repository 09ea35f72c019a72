"""The demo's processes: real `hookledger` commands, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import HookledgerError

START_S = 20.0
STOP_S = 15.0
LINE_BYTES_MAX = 16 * 1024 * 1024


class Crew:
    """Starts commands with the same environment, and sees that none of them outlives the demo."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = {**os.environ, **environment}
        self.log = log
        self._running: list[asyncio.subprocess.Process] = []

    async def start(
        self, words: Sequence[str], *, says: int, stdin: str = ""
    ) -> tuple[asyncio.subprocess.Process, str]:
        """A command that stays, and the address in the first line it says: on *says*, 1 or 2, as file numbers go."""
        process = await self._spawn(words, stderr=asyncio.subprocess.PIPE if says == 2 else None)
        assert process.stdin is not None
        process.stdin.write(stdin.encode())
        stream = process.stdout if says == 1 else process.stderr
        assert stream is not None
        try:
            async with asyncio.timeout(START_S):
                await process.stdin.drain()
                line = (await stream.readline()).decode()
        except TimeoutError:
            raise HookledgerError(f"`hookledger {words[0]}` said nothing for {START_S:g} s") from None
        _, found, address = line.strip().partition("listening on ")
        if not found:
            raise HookledgerError(f"`hookledger {words[0]}` did not start: {line.strip() or 'it ended at once'}")
        return process, address

    async def run(self, words: Sequence[str], *, stdin: str = "") -> str:
        """What a command prints that does its work and ends."""
        process = await self._spawn(words, stderr=asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(START_S):
                out, err = await process.communicate(stdin.encode())
        except TimeoutError:
            raise HookledgerError(f"`hookledger {' '.join(words)}` took longer than {START_S:g} s") from None
        if process.returncode != 0:
            why = err.decode().strip().rpartition("\n")[2] or f"exit code {process.returncode}"
            raise HookledgerError(f"`hookledger {' '.join(words)}` failed: {why}")
        return out.decode()

    async def stop(self, process: asyncio.subprocess.Process) -> int:
        """Ask it to end; its exit code."""
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()

    async def stop_all(self) -> None:
        await asyncio.gather(*map(self.stop, self._running))

    async def _spawn(self, words: Sequence[str], *, stderr: int | None) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hookledger",
                *words,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log if stderr is None else stderr,
                limit=LINE_BYTES_MAX,
            )
        self._running.append(process)
        return process
