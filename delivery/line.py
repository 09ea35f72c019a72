"""One connection to a receiver, and the answer awaited on it: aiohttp's protocol and parser, nothing between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpResponseParser, RawResponseMessage
from aiohttp.http_exceptions import BadStatusLine, LineTooLong
from aiohttp.streams import StreamReader

from core.limits import ANSWER_BYTES_MAX, ANSWER_HEADER_CHARS_MAX, ANSWER_HEADERS_MAX, ANSWER_WIRE_BYTES_MAX
from delivery.sender import Answered, Outcome, Unreached


class Line(ResponseHandler):
    """A connection on which one request at a time is asked and answered.

    The parser is made once, not for each request, and the outcome is put together where the bytes arrive: whoever
    asks is woken once. `whole` is called when the answer is complete and the line good for the next request, `gone`
    when it is not, or is lost; both before the asker wakes. Bytes that nobody asked for end the line.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, whole: Callable[[Line], None], gone: Callable[[Line], None]
    ) -> None:
        super().__init__(loop)
        self.origin = ""
        self.reused = False
        self.timer: asyncio.TimerHandle | None = None
        self._whole = whole
        self._gone = gone
        self._connection: Connection | None = None
        # Not in ResponseHandler's own `_parser` and `_payload`: it would act on them as well.
        self._http = self._new_parser()
        self._answer: asyncio.Future[Outcome | None] | None = None
        self._message: RawResponseMessage | None = None
        self._content: StreamReader | None = None
        # Bytes that a fresh connection brought before it was asked; then those of an answer that comes in pieces.
        self._seen = bytearray()
        self._silent = True
        self._received = 0
        self._body = bytearray()
        self._extra = False
        # Many an answer has the headers of the one before it.
        self._raw_headers: tuple[tuple[bytes, bytes], ...] = ()
        self._headers: tuple[tuple[str, str], ...] = ()

    def hand_over(self, connection: Connection, origin: str) -> None:
        """The connector has made this connection; from now on we answer for it."""
        self._connection = connection
        self.origin = origin

    def ask(self, request: bytes) -> asyncio.Future[Outcome | None]:
        """Send a request. None as its result: the receiver had closed this line before the request came."""
        answer: asyncio.Future[Outcome | None] = self._loop.create_future()
        self._answer = answer
        self._silent = True
        transport = self.transport
        if transport is None:
            self._lost(None)
            return answer
        transport.write(request)
        if self._seen:
            early, self._seen = self._seen, bytearray()
            self.data_received(bytes(early))
        return answer

    def withdraw(self, answer: asyncio.Future[Outcome | None]) -> None:
        """Nobody waits for this answer any more."""
        if self._answer is answer:
            self.drop()

    def give_up(self, reason: str) -> None:
        """End what is under way: with the answer as far as it came, or for this reason."""
        if self._answer is None:
            self.drop()
        elif self._message is not None:
            self._finish(whole=False)
        else:
            self._settle(Unreached(reason))
            self.drop()

    def drop(self) -> None:
        """Close the connection at once, without a word."""
        self.abort()
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            self._gone(self)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self._unasked(data)
            return
        self._silent = False
        try:
            messages, _, _ = self._http.feed_data(data)
        except Exception as error:  # noqa: BLE001 - whatever the parser says, it says of the receiver's bytes
            self._unreadable(data, error)
            return
        for message, payload in messages:
            self._take(message, payload)
        if self._content is not None and self._content.is_eof():
            self._finish(whole=True)
        else:
            self._await_more(data)

    def eof_received(self) -> None:
        # Not left to connection_lost: closing first waits for what is still to be written, for ever perhaps.
        self._lost(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._lost(exc)
        del self._http  # it holds us

    def pause_reading(self) -> None:
        """Nothing: what is read of an answer is bounded here, and more of it ends the line."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Nothing, as nothing is paused."""

    def _new_parser(self) -> HttpResponseParser:
        return HttpResponseParser(
            self, self._loop, ANSWER_BYTES_MAX, read_until_eof=True, auto_decompress=False, response_with_body=True
        )

    def _take(self, message: RawResponseMessage, payload: StreamReader) -> None:
        if self._message is not None:
            self._extra = True
        elif message.code >= 200 or message.code == 101:
            self._message = message
            self._content = payload

    def _unasked(self, data: bytes) -> None:
        # A fresh connection may speak before it is asked, as a canned answer behind `nc` does. A used one that does
        # would have its bytes taken for the next answer.
        fresh = not self.reused and self._connection is None and self.transport is not None
        if fresh and len(self._seen) + len(data) <= ANSWER_WIRE_BYTES_MAX:
            self._seen += data
        else:
            self.drop()

    def _await_more(self, data: bytes) -> None:
        """The answer comes in pieces: keep what it takes to judge it, and no more than that."""
        self._received += len(data)
        if self._content is None:
            self._seen += data
        else:
            self._body += self._content.read_nowait(-1)
            self._seen.clear()
        if self._received > ANSWER_WIRE_BYTES_MAX or len(self._body) > ANSWER_BYTES_MAX:
            self.give_up("the target sent too much that was not an answer")

    def _unreadable(self, data: bytes, error: Exception) -> None:
        if self._message is None:
            self._read_again(bytes(self._seen) + data)
        if self._message is None:
            self.give_up(_why_unreadable(error))
        else:
            self._extra = True
            assert self._content is not None
            self._finish(whole=self._content.is_eof())

    def _read_again(self, data: bytes) -> None:
        """When a call of the parser fails, the messages it had found in it are lost. Find them: a head ends with a
        line, so fed line by line the head comes out before what is wrong with the body behind it."""
        parser = self._new_parser()
        start = 0
        try:
            while self._message is None:
                end = data.find(b"\n", start) + 1
                if end == 0:
                    return
                for message, payload in parser.feed_data(data[start:end])[0]:
                    self._take(message, payload)
                start = end
            parser.feed_data(data[start:])
        except Exception:  # noqa: BLE001 - it is the failure that brought us here
            return

    def _lost(self, error: BaseException | None) -> None:
        if self._answer is None:
            # Not handed out yet: the connector has it, and will hand it out, broken.
            if self._connection is not None:
                self.drop()
            return
        if self._message is None:
            if not self._silent:
                outcome: Outcome | None = Unreached("the target closed the connection in the middle of its headers")
            elif self.reused:
                outcome = None
            else:
                how = "reset" if isinstance(error, ConnectionResetError) else "closed"
                outcome = Unreached(f"the target {how} the connection without an answer")
            self._settle(outcome)
            self.drop()
            return
        assert self._content is not None
        try:
            self._http.feed_eof()
        except Exception:  # noqa: BLE001 - it says that the body is not whole, which is_eof says too
            whole = False
        else:
            whole = error is None and self._content.is_eof()
        self._extra = True
        self._finish(whole=whole)

    def _settle(self, outcome: Outcome | None) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(outcome)

    def _finish(self, *, whole: bool) -> None:
        message, payload, transport = self._message, self._content, self.transport
        assert message is not None
        assert payload is not None
        try:
            body = payload.read_nowait(-1)
        except Exception:  # noqa: BLE001 - where aiohttp has no C parser, the one in Python breaks a payload so
            body = b""
        if self._received:
            body = bytes(self._body) + body
        if len(body) > ANSWER_BYTES_MAX:
            body = body[:ANSWER_BYTES_MAX]
            whole = False
        if message.raw_headers != self._raw_headers:
            self._raw_headers = message.raw_headers
            self._headers = _headers(message.raw_headers)
        outcome = Answered(message.code, self._headers, body, not whole)
        self._message = self._content = None
        good = (
            whole
            and not message.should_close
            and not self._extra
            and message.code != 101
            and transport is not None
            and transport.get_write_buffer_size() == 0
        )
        self._settle(outcome)
        if good:
            if self._received:
                self._received = 0
                self._seen = bytearray()
                self._body = bytearray()
            self.reused = True
            self._whole(self)
        else:
            self.drop()


def _headers(raw: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[str, str], ...]:
    if len(raw) > ANSWER_HEADERS_MAX:
        raw = raw[:ANSWER_HEADERS_MAX]
    try:
        headers = [(name.decode(), value.decode()) for name, value in raw]
    except UnicodeDecodeError:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    for name, value in headers:
        if len(value) > ANSWER_HEADER_CHARS_MAX or len(name) > ANSWER_HEADER_CHARS_MAX:
            return tuple([(name[:ANSWER_HEADER_CHARS_MAX], value[:ANSWER_HEADER_CHARS_MAX]) for name, value in headers])
    return tuple(headers)


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, BadStatusLine):
        return "the target did not answer with HTTP"
    if isinstance(error, LineTooLong) or "Too many headers" in str(error):
        return "the headers of the answer are too long or too many"
    return "the headers of the answer are not valid"
