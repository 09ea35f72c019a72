"""Requests counted by route, method and status, and how long they took; paths that nobody made up in advance count
as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import DEBUG

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from core.histogram import LATENCY_BOUNDS, Histogram
from core.log import Log
from core.tally import Tally

log = Log("web")

OTHER = "other"


def counted(tally: Tally) -> Middleware:
    """The outermost middleware: it sees what is answered."""

    @web.middleware
    async def count(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        loop, status = asyncio.get_running_loop(), "gone"
        began_at = loop.time()
        try:
            answer = await handler(request)
            status = str(answer.status)
        except web.HTTPException as error:
            status = str(error.status)
            raise
        finally:
            resource, method = request.match_info.route.resource, request.method
            route = OTHER if resource is None else resource.canonical
            tally.requests[route, method if method in hdrs.METH_ALL else OTHER, status] += 1
            took = tally.request_ms.get(route)
            if took is None:
                took = tally.request_ms[route] = Histogram(LATENCY_BOUNDS)
            took_ms = (loop.time() - began_at) * 1000
            took.add(took_ms)
            if log.is_on(DEBUG):
                log.say("request.answered", method=request.method, route=route, status=status, took_ms=round(took_ms))
        return answer

    return count
