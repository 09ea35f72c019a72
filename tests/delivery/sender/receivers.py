"""Receivers on real sockets that do what they are told, politely or not: one script for each connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType

PATIENCE_S = 5.0
"""How long a test waits for what must happen; far more than it takes."""
PACE_S = 0.005
"""Between the bytes of a dribble."""

FLOOD_BYTES = 32_768
"""Said at once in a flood."""


class Peer:
    """A connection as the receiver sees it; `number` counts from 1."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer
        self._gone: asyncio.Future[None] | None = None
        self._over = asyncio.Event()

    async def head(self) -> bytes:
        """The request line and headers of the next request; empty when the sender hangs up instead."""
        try:
            return await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def request(self) -> tuple[bytes, bytes]:
        """The next request, head and body; two times nothing when the sender hangs up instead."""
        head = await self.head()
        lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        body = await self._reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
        return head, body

    async def bytes(self, count: int) -> None:
        """Read so many, whatever they say."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._reader.readexactly(count)

    def stop_reading(self) -> None:
        self._writer.transport.pause_reading()

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    async def gone(self) -> None:
        """Return when the sender has closed the connection. No request can be read after this."""
        if self._gone is None:
            self._gone = asyncio.ensure_future(self._read_to_the_end())
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.shield(self._gone)

    async def pause(self) -> None:
        """Let the sender see what was said so far, and be slow about it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PACE_S):
                await self._over.wait()

    async def dribble(self, data: bytes) -> None:
        """Say it byte by byte, until nobody listens."""
        for at in range(len(data)):
            if self._writer.transport.is_closing():
                return
            self.say(data[at : at + 1])
            await self.pause()

    async def flood(self, data: bytes) -> None:
        """Say it again and again, until nobody listens."""
        data *= FLOOD_BYTES // len(data) + 1
        with suppress(ConnectionError):
            while not self._writer.transport.is_closing():
                self.say(data)
                await self._writer.drain()

    async def pause_until_over(self) -> None:
        """Do nothing at all until the receiver ends."""
        await self._over.wait()

    def say_no_more(self) -> None:
        """Close this side only."""
        self._writer.write_eof()

    def hang_up(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Close so that the other side learns of it as an error."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def end(self) -> None:
        self._over.set()
        if self._gone is not None:
            self._gone.cancel()
            await asyncio.gather(self._gone, return_exceptions=True)
        self._writer.transport.abort()
        with suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()

    async def _read_to_the_end(self) -> None:
        with suppress(ConnectionError):
            while await self._reader.read(65_536):
                pass


Script = Callable[[Peer], Awaitable[None]]


async def polite(peer: Peer) -> None:
    """Answer every request with its own body, and say on which connection."""
    while True:
        head, body = await peer.request()
        if not head:
            return
        peer.say(answer(body, b"X-Connection: %d\r\n" % peer.number))


def says(*parts: bytes, then: Script | None = None) -> Script:
    """A script that reads one request and answers it in parts, each as its own packet."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for part in parts:
            peer.say(part)
            if part is not parts[-1]:
                await peer.pause()
        await (then(peer) if then else peer.gone())

    return script


def answer(body: bytes, headers: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """An answer as it should be."""
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), headers, body)


class Receiver:
    """Listens on a free port. Connection n follows the nth script; when there are no more, they are polite."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.peers: list[Peer] = []
        self.url = ""
        self._scripts = scripts
        self._tls = tls
        self.tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Receiver:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}/hook?a=1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self.tasks:
            task.cancel()
        ends = await asyncio.gather(*self.tasks, return_exceptions=True)
        for peer in self.peers:
            await peer.end()
        await self._server.wait_closed()
        faults = [end for end in ends if isinstance(end, Exception) and not isinstance(end, ConnectionError)]
        if faults and error is None:
            raise faults[0]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.peers) + 1
        peer = Peer(number, reader, writer)
        self.peers.append(peer)
        script = self._scripts[number - 1] if number <= len(self._scripts) else polite
        self.tasks.append(asyncio.ensure_future(script(peer)))
