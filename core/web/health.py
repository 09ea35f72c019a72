"""`GET /health/live` and `GET /health/ready`: whether the process runs, and whether it does its work, or why not.

What they answer is told in docs/metrics.md, for those who ask by program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

RETRY_S = 1
"""When to ask again, of a service that is not ready."""

Readiness = Callable[[], Sequence[str]]
"""Why the service is not ready; empty when it is."""

Notes = Callable[[], Sequence[str]]
"""What has gone wrong lately, although it is ready."""


def routes(readiness: Readiness, notes: Notes) -> list[web.RouteDef]:
    async def live(_: web.Request) -> web.Response:
        return _answer(200, {"live": True})

    async def ready(_: web.Request) -> web.Response:
        reasons, noted = list(readiness()), list(notes())
        told = {"notes": noted} if noted else {}
        if reasons:
            return _answer(503, {"ready": False, "reasons": reasons, **told})
        return _answer(200, {"ready": True, **told})

    return [web.get("/health/live", live), web.get("/health/ready", ready)]


def _answer(status: int, body: object) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if status != 200:
        headers["Retry-After"] = str(RETRY_S)
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers)
