"""What every measurement needs: a receiver in its own process, webhooks by target, and events that match them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from typing import Any

import msgspec

from core.webhooks import Webhooks
from delivery.service import Service

SECRET = "whsec_" + "YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g="
TENANT = "1"
OWNER = "7d2f4c1e-0b7a-4d39-9c55-3a1f0a6c2b11"

FANOUT = 10
"""Webhooks that all want the same events."""


class Receiver:
    """The receiver's process, as seen from here."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process, self.port = process, port

    @classmethod
    async def started(cls) -> Receiver:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "delivery.bench.receiver",
            SECRET,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**26,
        )
        assert process.stdout is not None
        return cls(process, json.loads(await process.stdout.readline())["port"])

    async def ask(self, **asked: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return answer

    @property
    def pid(self) -> int:
        return self._process.pid

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


async def make_webhooks(webhooks: Webhooks, port: int, count: int, *, hanging: int = 0) -> None:
    """`count` webhooks, each limited to one file; the first `hanging` of them are never answered."""
    for number in range(count):
        path = "hang" if number < hanging else "hook"
        await webhooks.create(
            tenant=TENANT,
            name=f"bench {number}",
            url=f"http://127.0.0.1:{port}/{path}/{number}",
            triggers=("file.updated",),
            target=str(1_000 + number),
            secret=SECRET,
            ssl=False,
            by=None,
        )


async def make_fanout(webhooks: Webhooks, port: int, count: int) -> None:
    """`count` webhooks that all want the same events."""
    for number in range(count):
        await webhooks.create(
            tenant=TENANT,
            name=f"fan {number}",
            url=f"http://127.0.0.1:{port}/fan/{number}",
            triggers=("file.created",),
            secret=SECRET,
            ssl=False,
            by=None,
        )


def event(target: int, title: str, type: str = "file.updated") -> dict[str, Any]:
    """A file event as a portal sends it."""
    return {
        "id": str(uuid.UUID(bytes=os.urandom(16), version=4)),
        "type": type,
        "time": "2026-11-24T08:00:00Z",
        "actor": OWNER,
        "readers": [f"user:{OWNER}", "role:admin"],
        "data": {
            "id": target,
            "parentId": 310,
            "rootId": 2,
            "title": title,
            "createBy": OWNER,
            "modifiedBy": OWNER,
            "createOn": "2026-11-20T08:00:00Z",
            "modifiedOn": "2026-11-24T08:00:00Z",
            "rootFolderType": 14,
            "rootCreateBy": OWNER,
            "fileEntryType": 2,
        },
    }


def batches(count: int, webhooks: int, size: int = 100, *, first: int = 0) -> list[bytes]:
    """`count` events as request bodies of *size* events, going round the webhooks from *first* on."""
    events = [
        msgspec.json.encode(event(1_000 + first + number % (webhooks - first), f"report {number}.docx"))
        for number in range(count)
    ]
    return [b"[" + b",".join(events[start : start + size]) + b"]" for start in range(0, count, size)]


def fan_batches(deliveries: int) -> list[bytes]:
    """Request bodies of ten events that FANOUT webhooks want, for so many deliveries."""
    return [
        b"[" + b",".join(msgspec.json.encode(event(1, f"fan {n}", "file.created")) for n in range(10)) + b"]"
        for _ in range(max(deliveries // FANOUT // 10, 1))
    ]


async def drained(service: Service) -> None:
    """Wait until every outcome is recorded."""
    assert service.carrier is not None
    dispatch = service.carrier.dispatch
    while dispatch.young or dispatch.unrecorded or dispatch.old:
        await dispatch.settled()
        await service.office.writer.settle()
