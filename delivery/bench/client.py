"""The publishing side of the bench: bare connections that post prepared bytes, so that they are never the limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import cast

PATH = "/api/ledger/events"


def request(token: str, body: bytes) -> bytes:
    """One whole request."""
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the service closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        start = self._buffer.find(b"Content-Length: ") + 16
        length = int(self._buffer[start : self._buffer.find(b"\r", start)])
        if len(self._buffer) >= end + 4 + length and self._answer is not None:
            status = int(self._buffer[9:12])
            self._buffer = b""
            self._answer.set_result(status)

    async def post(self, request: bytes) -> None:
        """Post, and wait for the answer, which must be 200."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        status = await self._answer
        if status != 200:
            raise RuntimeError(f"the service answered {status}")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def connect(port: int) -> Client:
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
    return client


async def publish(port: int, requests: Sequence[bytes], clients: int) -> None:
    """Post all *requests*, from so many connections, each after the answer to its last."""
    waiting = iter(requests)

    async def one(client: Client) -> None:
        for some in waiting:
            await client.post(some)

    connections = [await connect(port) for _ in range(clients)]
    await asyncio.gather(*(one(client) for client in connections))
    for client in connections:
        client.close()


async def publish_paced(
    port: int, requests: Iterator[tuple[str, bytes]], per_s: float, clients: int
) -> dict[str, float]:
    """Post at a steady pace; when each request's first byte was written (`time.monotonic`), by its name.

    A request that finds no connection free waits for one; its time begins when it should have been posted.
    """
    free: asyncio.Queue[Client] = asyncio.Queue()
    connections = [await connect(port) for _ in range(clients)]
    for connection in connections:
        free.put_nowait(connection)
    sent: dict[str, float] = {}
    tasks: list[asyncio.Task[None]] = []
    due = time.monotonic()

    async def one(client: Client, some: bytes) -> None:
        await client.post(some)
        free.put_nowait(client)

    for name, some in requests:
        due += 1 / per_s
        wait_s = due - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        is_late = free.empty()
        client = await free.get()
        sent[name] = due if is_late else time.monotonic()
        tasks.append(asyncio.create_task(one(client, some)))
    await asyncio.gather(*tasks)
    for connection in connections:
        connection.close()
    return sent
