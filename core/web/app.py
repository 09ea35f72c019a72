"""The service's web application: who is asking, what they may, and errors as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from core.errors import (
    ConflictError,
    HookledgerError,
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    OverloadedError,
    UnauthorizedError,
)
from core.ledger.fault import FAULTS
from core.limits import INTAKE_BYTES_MAX, REQUEST_BYTES_MAX
from core.log import Log
from core.office import Office
from core.web import events, health, metrics
from core.web.counted import counted

log = Log("web")

FAULT = "a fault of ours; it is in the log"
NOT_HERE = "nothing is here; portal events go to POST /api/ledger/events"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATUS: dict[type[HookledgerError], int] = {
    InvalidInputError: 400,
    UnauthorizedError: 401,
    NotAllowedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    OverloadedError: 503,
}
STATUS_OF_LIMIT = {"REQUEST_BYTES_MAX": 413, "REQUEST_EVENTS_MAX": 413, "READ_S": 408}
"""What a request is answered that met one of these."""
TITLE = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    408: "Request timed out",
    413: "Request too large",
    415: "Unsupported media type",
    500: "Internal error",
    503: "Not now",
}


def build(
    office: Office,
    readiness: health.Readiness,
    *,
    intake_bytes_max: int = INTAKE_BYTES_MAX,
    takes_events: bool = True,
) -> web.Application:
    """The application for everybody who reaches the port. Not *takes_events*: only how the process does."""
    app = web.Application(middlewares=[counted(office.tally), problems], client_max_size=REQUEST_BYTES_MAX)
    app.add_routes(events.routes(office, intake_bytes_max) if takes_events else [web.post(events.PATH, _elsewhere)])
    app.add_routes(health.routes(readiness, office.plugins.notes))
    app.add_routes(metrics.routes(office, readiness))
    return app


async def _elsewhere(_: web.Request) -> web.StreamResponse:
    raise NotFoundError("this process takes no portal events, it has no role api: publish to one that has")


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into problem details; a bug is logged, and says nothing of itself."""
    try:
        return await handler(request)
    except HookledgerError as error:
        return problem(error)
    except FAULTS as error:
        log.say("request.unreadable", method=request.method, path=request.path, error=error)
        return problem(
            OverloadedError("the data cannot be read just now; whoever runs this service finds why in its log")
        )
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _of_aiohttp(error)
    except Exception as error:  # noqa: BLE001 -- one request's bug must not take the connection of others with it.
        log.say("request.bug", error, method=request.method, path=request.path)
        return _answer(500, TITLE[500], FAULT, {})


def problem(error: HookledgerError) -> web.Response:
    """An error of ours as problem details, with the limit that was met, if one was."""
    status = STATUS.get(type(error), 500)
    limit = getattr(error, "limit", None)
    if isinstance(error, InvalidInputError):
        status = STATUS_OF_LIMIT.get(limit or "", status)
    more = {} if limit is None else {"limit": limit}
    answer = _answer(status, TITLE[status], str(error), more)
    if isinstance(error, OverloadedError):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _of_aiohttp(error: web.HTTPException) -> web.Response:
    """What aiohttp refuses itself, whose reasons only say the status again, but for those that we gave it."""
    detail, allowed = error.reason, error.headers.get("Allow")
    if isinstance(error, web.HTTPNotFound):
        detail = NOT_HERE
    elif allowed is not None:
        detail = f"what is here takes {allowed.replace(',', ' and ')}"
    answer = _answer(error.status, TITLE.get(error.status, error.reason), detail, {})
    if allowed is not None:
        answer.headers["Allow"] = allowed
    return answer


def _answer(status: int, title: str, detail: str, more: dict[str, str]) -> web.Response:
    body = msgspec.json.encode({"type": "about:blank", "title": title, "status": status, "detail": detail, **more})
    return web.Response(status=status, body=body, content_type="application/problem+json")
