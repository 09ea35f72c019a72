"""Where `serve` is spoken to: a web application on a socket, which finishes what it has begun before it closes.

aiohttp reads no more from its connections once it closes, not even the rest of a request it is answering; so requests
are counted, and it closes when there are none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from core.errors import HookledgerError, LedgerError, OverloadedError
from core.web.operator import OperatorSite

FINISH_S = 10.0
"""How long requests under way may take once it closes."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Reception:
    """One application. Until *is_ready*, nothing but its health may be asked of it.

    *finish_s*: how long requests under way may take once it closes."""

    def __init__(self, application: web.Application, is_ready: Callable[[], bool], finish_s: float = FINISH_S) -> None:
        self._is_ready, self._finish_s = is_ready, finish_s
        self._under_way = 0
        self._is_closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        application.middlewares.append(self._middleware())
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=finish_s)

    def _middleware(self) -> Middleware:
        @web.middleware
        async def receive(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._is_ready() and not request.path.startswith("/health/"):
                raise OverloadedError("starting: the ledger is being followed to its head")
            self._under_way += 1
            self._idle.clear()
            try:
                answer = await handler(request)
            finally:
                self._under_way -= 1
                if not self._under_way:
                    self._idle.set()
            if self._is_closing:
                answer.force_close()
            return answer

        return receive

    async def open_port(self, host: str, port: int) -> str:
        """Listen for everybody; the address as URLs have it."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            raise HookledgerError(
                f"cannot listen on {host}:{port}: {error.strerror or error}; name another --host or --port"
            ) from None
        bound = self._runner.addresses[0][1]
        return f"[{host}]:{bound}" if ":" in host else f"{host}:{bound}"

    async def open_operator(self, data: Path) -> None:
        """Listen for the operator, in the data directory."""
        await self._runner.setup()
        try:
            await OperatorSite(self._runner, data).start()
        except OSError as error:
            raise LedgerError(f"the operator's socket cannot be opened in {data}: {error}") from None

    async def close(self) -> None:
        """Take no more connections, finish the requests under way, close."""
        self._is_closing = True
        for site in self._runner.sites:
            await site.stop()
        try:
            async with asyncio.timeout(self._finish_s):
                await self._idle.wait()
        except TimeoutError:
            pass
        await self._runner.cleanup()
