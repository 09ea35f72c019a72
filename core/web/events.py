"""`POST /api/ledger/events`: portal events over HTTP, answered after their commit, in the order sent."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from core.directory import Token
from core.errors import InvalidInputError, NotAllowedError, OverloadedError, UnauthorizedError
from core.forms import Read
from core.gauges import Sample
from core.incoming import Checked, Rejected
from core.intake import Result
from core.limits import READ_S, REQUEST_BYTES_MAX
from core.office import Office
from core.web.content import reader_of
from core.web.traced import traced
from core.wire.trace import HEADER

PATH = "/api/ledger/events"
_ENCODE = msgspec.json.Encoder().encode


class _Room:
    """How many bytes of requests have come, and wait for the rest of them or for their commit."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes, self._bytes_max = 0, bytes_max

    def take(self, count: int) -> None:
        if self.bytes + count > self._bytes_max:
            raise OverloadedError("too many bytes are on their way in", limit="INTAKE_BYTES_MAX")
        self.bytes += count

    async def samples(self) -> list[Sample]:
        """For `/metrics`."""
        return [("hookledger_intake_bytes", (), self.bytes)]


def routes(office: Office, bytes_max: int) -> list[web.RouteDef]:
    """*bytes_max*: of requests that are on their way in, at once."""
    room = _Room(bytes_max)
    office.gauges.append(room.samples)

    async def post(request: web.Request) -> web.Response:
        token = publisher(office, request)
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise web.HTTPUnsupportedMediaType(reason="send it as it is, without Content-Encoding")
        read = reader_of(request)
        if (request.content_length or 0) > REQUEST_BYTES_MAX:
            raise _too_large()
        if office.tracing is None and HEADER not in request.headers:
            return await take(request, token, read, None)
        return await traced(office, request, lambda context: take(request, token, read, context))

    async def take(request: web.Request, token: Token, read: Read, context: str | None) -> web.Response:
        body = bytearray()
        try:
            await _read(request, body, room)
            events = read(bytes(body), token.tenant)
            if context is not None:
                events = [_in_trace(event, context) for event in events]
            results = await office.intake.accept(token.tenant, events, ("http", token.id.hex()))
        finally:
            room.bytes -= len(body)
            # An exception would keep it, with its traceback, until the collector comes by.
            body.clear()
        return answer(results)

    return [web.post(PATH, post)]


def _in_trace(event: Checked | Rejected, context: str) -> Checked | Rejected:
    """The event in the request's trace, if it names none of its own."""
    if isinstance(event, Rejected) or event.traceparent is not None:
        return event
    return msgspec.structs.replace(event, traceparent=context)


async def _read(request: web.Request, body: bytearray, room: _Room) -> None:
    """Read a request's body into *body*, taking room for what has come; within a limit of bytes and of time."""

    def keep(chunk: bytes) -> None:
        if len(body) + len(chunk) > REQUEST_BYTES_MAX:
            raise _too_large()
        room.take(len(chunk))
        body.extend(chunk)

    try:
        if request.content.is_eof():  # it came with its head, as most do: nothing is waited for
            keep(request.content.read_nowait())
            return
        async with asyncio.timeout(READ_S):
            while chunk := await request.content.readany():
                keep(chunk)
    except TimeoutError:
        raise InvalidInputError(
            f"the request did not come within {READ_S:g} s: send less at a time", limit="READ_S"
        ) from None
    except (ConnectionError, web.RequestPayloadError):
        # Whoever sent half of it has gone, or does not know its own length.
        raise InvalidInputError("the request broke off") from None


def publisher(office: Office, request: web.Request) -> Token:
    """The token of a request that may publish; others are told why they may not."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise UnauthorizedError("say who you are: Authorization: Bearer TOKEN (`hookledger token create`)")
    token = office.tokens.recognise(text.strip())
    if token.role != "portal":
        raise NotAllowedError(f"a token of role {token.role} may not publish: use one of role portal")
    return token


def answer(results: list[Result]) -> web.Response:
    """200 when at least one event was accepted or known already, or none was sent; 422 when none was."""
    events: list[dict[str, Any]] = []
    accepted = duplicates = rejected = 0
    for result in results:
        if isinstance(result, Rejected):
            rejected += 1
            refused: dict[str, Any] = {"id": result.id, "error": result.error}
            events.append(refused if result.limit is None else refused | {"limit": result.limit})
            continue
        entry: dict[str, Any] = {
            "id": result.id,
            "position": result.position,
            "trigger": result.trigger,
            "deliveries": result.deliveries,
        }
        if result.is_duplicate:
            duplicates += 1
            entry["duplicate"] = True
        else:
            accepted += 1
        if result.note is not None:
            entry["note"] = result.note
        events.append(entry)
    body = _ENCODE({"accepted": accepted, "duplicates": duplicates, "rejected": rejected, "events": events})
    status = 200 if accepted or duplicates or not results else 422
    return web.Response(status=status, body=body, content_type="application/json")


def _too_large() -> InvalidInputError:
    return InvalidInputError(
        f"the request is larger than {REQUEST_BYTES_MAX} bytes: send it in several", limit="REQUEST_BYTES_MAX"
    )
