"""The trace that a request belongs to: from its `traceparent` on, through a span of ours where somebody makes spans."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from core.office import Office
from core.wire.trace import HEADER, context_of


async def traced(
    office: Office, request: web.Request, answer: Callable[[str | None], Awaitable[web.Response]]
) -> web.Response:
    """What *answer* makes of the context that its events go on from; None: they are in no trace."""
    said = request.headers.getall(HEADER, [])
    context = context_of(said[0]) if len(said) == 1 else None
    if office.tracing is None:
        return await answer(context)
    span = office.tracing.accept(context)
    try:
        answered = await answer(span.context)
    except BaseException as error:  # whatever it was, the span has an end
        span.end(None, type(error).__name__)
        raise
    span.end(answered.status, None)
    return answered
