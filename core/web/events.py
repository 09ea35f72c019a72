"""`POST /api/ledger/events`: portal events over HTTP, answered after their commit, in the order sent."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from core.directory import Token
from core.errors import InvalidInputError, NotAllowedError, OverloadedError, UnauthorizedError
from core.incoming import Rejected, events_of
from core.intake import Result
from core.limits import INTAKE_BYTES_MAX, REQUEST_BYTES_MAX
from core.office import Office

_ENCODE = msgspec.json.Encoder().encode


class _Room:
    """How many bytes of requests are read, or wait for their commit."""

    def __init__(self) -> None:
        self.bytes = 0


def routes(office: Office) -> list[web.RouteDef]:
    room = _Room()

    async def post(request: web.Request) -> web.Response:
        token = publisher(office, request)
        declared = request.content_length
        if declared is not None and declared > REQUEST_BYTES_MAX:
            raise _too_large()
        # A request that does not say its length is taken for the largest one.
        expected = REQUEST_BYTES_MAX if declared is None else declared
        if room.bytes + expected > INTAKE_BYTES_MAX:
            raise OverloadedError("too many bytes wait for their commit", limit="INTAKE_BYTES_MAX")
        room.bytes += expected
        try:
            try:
                body = await request.read()
            except web.HTTPRequestEntityTooLarge:
                raise _too_large() from None
            results = await office.intake.accept(token.tenant, events_of(body, token.tenant), ("http", token.id.hex()))
        finally:
            room.bytes -= expected
        return answer(results)

    return [web.post("/api/ledger/events", post)]


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
            events.append({"id": result.id, "error": result.error})
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
    return InvalidInputError(f"the request is larger than {REQUEST_BYTES_MAX} bytes", limit="REQUEST_BYTES_MAX")
