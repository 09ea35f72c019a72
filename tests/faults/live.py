"""A service in this process, on real sockets and in real time, and receivers for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

from core.incoming import events_of
from core.intake import Accepted
from core.model.delivery import Attempt
from delivery.service import Service

DEADLINE_S = 20.0
LOOPBACK = ip_network("127.0.0.0/8")


class Live:
    """A service on a directory, started, with the doors that a test needs."""

    def __init__(self, data: Path, **given: Any) -> None:
        self.service = Service(data, **{"environment": {}, "allow": [LOOPBACK], **given})

    async def __aenter__(self) -> Live:
        await self.service.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.service.stop(0)

    async def webhook(self, url: str, *triggers: str) -> int:
        """A webhook of the portal itself, without SSL verification: its number."""
        made = await self.service.office.webhooks.create(
            tenant="1", name="mine", url=url, triggers=triggers, secret="S3cret-key-0123456789", by=None, ssl=False
        )
        return made.webhook.number

    async def events(self, count: int = 1, type: str = "file.updated") -> list[int]:
        """Publish so many events; the numbers of all their deliveries."""
        data = {"id": 991, "title": "report.docx"}
        said = [{"id": str(uuid4()), "type": type, "readers": ["everyone"], "data": data} for _ in range(count)]
        events = events_of(json.dumps(said).encode(), "1")
        results = await self.service.office.intake.accept("1", events, ("http", "test"))
        numbers: list[int] = []
        for result in results:
            assert isinstance(result, Accepted), result
            assert not result.is_duplicate
            numbers += range(result.position + 1, result.position + 1 + result.deliveries)
        return numbers

    def attempts(self, number: int) -> list[Attempt]:
        """The recorded attempts of a delivery."""
        reader = self.service.office.reader
        created = reader.at([number])[number]
        return [seen.event.attempt for seen in reader.stream(created.stream) if hasattr(seen.event, "attempt")]

    async def until(self, holds: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """What *holds* says, once that is true; asked some times a second."""
        async with asyncio.timeout(deadline_s):
            while not (found := holds()):
                await self._moment()
        return found

    async def _moment(self) -> None:
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, passed.set)
        await passed.wait()


class Mailbox:
    """A receiver that answers every request with 200, and knows when each came."""

    def __init__(self) -> None:
        self.port = 0
        self.waits_s: dict[str, float] = {}
        """How long the requests for a path wait for their answer; at once if it is not here."""
        self.posts: list[tuple[str, int, int]] = []
        """Path, delivery and attempt of all requests."""
        self.came: dict[int, float] = {}
        """The loop's time at which a delivery came, by its number."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._over = asyncio.Event()

    async def __aenter__(self) -> Mailbox:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _wait(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._over.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                path, number = head.split(b" ", 2)[1].decode(), body["event"]["id"]
                self.posts.append((path, number, body["webhook"].get("retryCount", 0) + 1))
                self.came[number] = asyncio.get_running_loop().time()
                if path in self.waits_s:
                    await self._wait(self.waits_s[path])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
