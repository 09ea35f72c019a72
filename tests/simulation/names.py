"""The name service of the simulated network: it takes its time, and sometimes hangs, fails, or lies."""

from __future__ import annotations

import socket
from random import Random
from typing import Any

from aiohttp.abc import AbstractResolver

HANGS_S = 40.0
LIES = ("127.0.0.1", "169.254.169.254", "192.168.7.7")
"""Where no webhook may lead; the simulated network is another."""


class Names(AbstractResolver):
    """Which machine a name stands for just now."""

    def __init__(self, loop: Any, random: Random) -> None:
        self._loop, self._random = loop, random
        self.addresses: dict[str, str] = {}
        self.mood = "good"
        """Or one of hanging, failing, lying."""

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[Any]:
        hangs = self.mood == "hanging" and self._random.random() < 0.7
        await self._loop.pause(HANGS_S if hangs else self._random.uniform(0.0005, 0.02))
        address = self.addresses.get(host)
        if address is None or (self.mood == "failing" and self._random.random() < 0.8):
            raise OSError(None, "Temporary failure in name resolution")
        if self.mood == "lying" and self._random.random() < 0.8:
            address = self._random.choice(LIES)
        return [
            {"hostname": host, "host": address, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0},
        ]

    async def close(self) -> None: ...


class TrueNames(AbstractResolver):
    """The same addresses, without moods: for clients."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[Any]:
        address = self._names.addresses[host]
        return [
            {"hostname": host, "host": address, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0},
        ]

    async def close(self) -> None: ...
