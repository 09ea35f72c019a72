"""Any bytes as a receiver's answer: an outcome, however they are cut, that another HTTP library does not contradict.

The judges: h11, for answers it takes for whole ones; for all others, the status line where the first answer begins.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import Any

import h11

from core.limits import ANSWER_BYTES_MAX, ANSWER_HEADERS_MAX
from delivery.line import Line
from delivery.sender import Answered, Outcome, Unreached

MODULES = ("delivery.line",)
STATUS_LINE = re.compile(rb"HTTP/\d\.\d +([1-9]\d\d)")


LENGTH_LIST = re.compile(rb"content-length:[^\n]*,")
KNOWN = (b"1.0", b"1.1")


class Wire:
    """A transport that keeps what is written, and can be closed."""

    def __init__(self) -> None:
        self.closed = False

    def write(self, data: bytes) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Connection:
    """What the connector hands over."""

    def close(self) -> None:
        pass


def seeds() -> list[bytes]:
    heads = (b"HTTP/1.1 200 OK", b"HTTP/1.0 503 Later", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content")
    rests = (
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
        b"Connection: close\r\n\r\nto the end",
        b"Retry-After: 7\r\nContent-Length: 0\r\n\r\n",
    )
    return [bytes([cut]) + head + b"\r\n" + rest for cut in (0, 1, 7) for head in heads for rest in rests]


def look(data: bytes) -> bool:
    """True when it was an answer. The first byte says into which pieces the others are cut."""
    if not data:
        return False
    size, said = data[0], data[1:]
    whole = outcome(said, 0)
    pieces = outcome(said, size)
    if isinstance(whole, Answered) and isinstance(pieces, Answered):
        assert whole.status == pieces.status, (whole, pieces)
        if not whole.truncated and not pieces.truncated:
            assert whole == pieces, (whole, pieces)
    by_h11 = read_by_h11(said) if STATUS_LINE.search(said) else None
    judged(said, whole, by_h11)
    judged(said, pieces, by_h11)
    return isinstance(whole, Answered)


def outcome(said: bytes, size: int) -> Outcome:
    """What a line makes of *said*, in pieces of *size* bytes, 0 all at once; then the receiver hangs up."""
    line = Line(still(), lambda _: None, lambda _: None)
    wire = Wire()
    line.connection_made(wire)  # type: ignore[arg-type]
    line.hand_over(Connection(), "origin")  # type: ignore[arg-type]
    answer = line.ask(b"POST / HTTP/1.1\r\n\r\n")
    for start in range(0, len(said), size or max(len(said), 1)):
        if answer.done() or wire.closed:
            break
        line.data_received(said[start : start + (size or len(said))])
    if not answer.done():
        line.eof_received()
    assert answer.done(), "an answer must end with its connection"
    found = answer.result()
    assert found is not None, "only a reused line can have been closed before"
    return found


@cache
def still() -> asyncio.AbstractEventLoop:
    """A loop that never runs: nothing here waits."""
    return asyncio.new_event_loop()


def judged(said: bytes, found: Outcome, by_h11: tuple[int, bytes] | None) -> None:
    if isinstance(found, Unreached):
        assert found.reason
        assert by_h11 is None or tells_its_length_twice(said), (said, found, by_h11)
        return
    assert 100 <= found.status <= 999
    assert len(found.body) <= ANSWER_BYTES_MAX
    assert len(found.headers) <= ANSWER_HEADERS_MAX
    assert found.status in [int(status) for status in STATUS_LINE.findall(said)], (said, found)
    if by_h11 is not None and len(by_h11[1]) <= ANSWER_BYTES_MAX:
        assert found.status == by_h11[0], (said, found, by_h11)
        if not found.truncated:
            assert found.body == by_h11[1], (said, found, by_h11)


def tells_its_length_twice(said: bytes) -> bool:
    """Such an answer may be refused (RFC 9112, 6.3), and h11 refuses it only where the two differ."""
    head = said.lower()
    return head.count(b"content-length") + head.count(b"transfer-encoding") > 1 or bool(LENGTH_LIST.search(head))


def read_by_h11(said: bytes) -> tuple[int, bytes] | None:
    """Status and body of an answer that h11 takes for a whole one."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "a"), ("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    try:
        connection.receive_data(said)
        connection.receive_data(b"")
        status, body = None, b""
        while True:
            event = connection.next_event()
            if isinstance(event, h11.InformationalResponse):
                if event.http_version != b"1.1":
                    return None
            elif isinstance(event, h11.Response):
                if event.http_version not in KNOWN:
                    return None
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return None if status is None else (status, body)
            else:
                return None
    except h11.RemoteProtocolError:
        return None
