"""The receiver of the bench: a bare protocol in a process of its own, so that it is never the limit.

It counts distinct `webhook-id`s, checks one signature in a hundred, and notes when a request arrived. A path that
begins with `/hang` is never answered. It is spoken to over its standard input and output, a JSON line each way.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from core.wire.signature import Signer
from delivery.loop import run

CHECK_EVERY = 100
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Tue, 24 Nov 2026 08:00:00 GMT\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok"
)


class Tally:
    """What was received since the last reset."""

    def __init__(self, secret: str) -> None:
        self._signer = Signer(secret)
        self.reset(0, times=False)

    def reset(self, expected: int, *, times: bool) -> None:
        self.ids: set[bytes] = set()
        self.requests = self.checked = self.bad = self.hanging = 0
        self.first_at = self.last_at = 0.0
        self.times: dict[str, float] | None = {} if times else None
        self.expected = expected
        self.done = asyncio.Event()
        self.body = b""

    def take(self, head: bytes, body: bytes, id: bytes) -> None:
        now = time.monotonic()
        self.requests += 1
        if not self.ids:
            self.first_at = now
        self.last_at = now
        self.body = body
        self.ids.add(id)
        if self.times is not None:
            title = body.find(b'"title":"')
            self.times.setdefault(body[title + 9 : body.find(b'"', title + 9)].decode(), now)
        if self.requests % CHECK_EVERY == 1:
            self.checked += 1
            if value(head, b"x-docspace-signature-256").decode() != self._signer.docspace(body):
                self.bad += 1
        if len(self.ids) == self.expected:
            self.done.set()

    def report(self) -> dict[str, Any]:
        return {
            "distinct": len(self.ids),
            "requests": self.requests,
            "checked": self.checked,
            "bad": self.bad,
            "hanging": self.hanging,
            "seconds": self.last_at - self.first_at,
            "last_at": self.last_at,
            "times": self.times,
            "body": self.body.decode(),
        }


def value(head: bytes, name: bytes) -> bytes:
    """The value of a header; empty when it is not there."""
    start = head.find(b"\r\n" + name + b": ")
    if start < 0:
        return b""
    start += len(name) + 4
    return head[start : head.find(b"\r\n", start)]


class Receiving(asyncio.Protocol):
    """One connection: requests with Content-Length, answered one after the other."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while True:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                break
            head = buffer[: end + 2]
            length = int(value(head, b"Content-Length") or b"0")
            if len(buffer) < end + 4 + length:
                break
            self._answer(head, buffer[end + 4 : end + 4 + length])
            buffer = buffer[end + 4 + length :]
        self._buffer = buffer

    def _answer(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        if head.startswith(b"POST /hang"):
            self._tally.hanging += 1
            return
        self._tally.take(head, body, value(head, b"webhook-id"))
        self._transport.write(ANSWER)


async def serve(secret: str) -> None:
    loop = asyncio.get_running_loop()
    tally = Tally(secret)
    server = await loop.create_server(lambda: Receiving(tally), "127.0.0.1", 0)
    _say({"port": server.sockets[0].getsockname()[1]})
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        asked = json.loads(line)
        if "reset" in asked:
            tally.reset(asked["reset"], times=asked.get("times", False))
            _say({})
        elif "wait" in asked:
            with suppress(TimeoutError):
                await asyncio.wait_for(tally.done.wait(), asked["wait"])
            _say(tally.report())


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main(args: Sequence[str]) -> None:
    """`python -m delivery.bench.receiver SECRET`."""
    run(serve(args[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
