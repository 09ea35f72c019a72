"""Clients of Kafka that are none of ours, each a command of its own: `kcat`, and the command line of kafka-python."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

WRITES_S = 30.0
KAFKA_PYTHON = str(Path(sys.executable).with_name("kafka-python"))


class Outsider(NamedTuple):
    """What one types to write lines of standard input to a topic, and to read a topic from its beginning."""

    name: str
    writing: tuple[str, ...]
    reading: tuple[str, ...]

    def words(self, way: tuple[str, ...], address: str, topic: str) -> list[str]:
        return [*way, "-b", address, "-t", topic]

    async def write(self, address: str, topic: str, lines: Sequence[bytes]) -> None:
        """A record for each line; it says nothing of a record that the broker has not taken."""
        process = await asyncio.create_subprocess_exec(
            *self.words(self.writing, address, topic),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(WRITES_S):
                said, _ = await process.communicate(b"".join(line + b"\n" for line in lines))
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise OSError(f"{self.name} ended with {process.returncode}: {said.decode(errors='replace')[-500:]}")


OF_KAFKA_PYTHON = Outsider(
    "kafka-python", (KAFKA_PYTHON, "producer"), (KAFKA_PYTHON, "consumer", "-C", "auto_offset_reset=earliest")
)
KCAT = Outsider("kcat", ("kcat", "-P"), ("kcat", "-C", "-q", "-u", "-o", "beginning"))


def outsiders() -> list[Outsider]:
    """Those that are here: kafka-python's is, as the tests install it."""
    return [OF_KAFKA_PYTHON] if shutil.which("kcat") is None else [KCAT, OF_KAFKA_PYTHON]


class Following:
    """A topic as an outsider reads it, from its beginning: JSON, a record a line."""

    def __init__(self, client: Outsider, address: str, topic: str, take: Callable[[Any], object]) -> None:
        """*take* is called with each record's value."""
        self._words, self._take = client.words(client.reading, address, topic), take
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._came = asyncio.Event()

    async def begin(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._reading = asyncio.create_task(self._read())

    async def until(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait until what was read makes it so, but no longer than so; whether it is."""
        assert self._reading is not None
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    if self._reading.done():
                        raise OSError(f"{self._words[0]} ended")
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return False
        return True

    async def end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                self._take(json.loads(line))
                self._came.set()
        finally:
            self._came.set()
