"""A file that a command reads, or its standard input: the bytes as they come, without holding up anything else."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import BinaryIO

import click

from core.errors import HookledgerError

CHUNK_BYTES = 256 * 1024

FILE = click.argument("file", type=click.File("rb"), metavar="FILE|-")
"""Opened at once, so that one that is not there is told before anything is done."""


class Input:
    """What to read; `size_bytes` None: nobody knows, as of a pipe."""

    def __init__(self, file: BinaryIO) -> None:
        self._fd, self._name = file.fileno(), file.name
        status = os.fstat(self._fd)
        self.size_bytes = status.st_size if stat.S_ISREG(status.st_mode) else None

    async def read(self) -> bytes:
        """The next bytes; none at the end."""
        try:
            if self.size_bytes is None:
                await self._comes()
            return os.read(self._fd, CHUNK_BYTES)
        except OSError as error:
            raise HookledgerError(f"{self._name} cannot be read: {error.strerror}") from None

    async def _comes(self) -> None:
        """Until there is something to read: a pipe may keep one waiting, and nothing else must wait with it."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(self._fd, ready.set)
        except PermissionError:
            return  # it is of a kind that never keeps one waiting
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._fd)
