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
from delivery.connections import Connection, Connections
from delivery.files import BACKLOG_MAX

LEAVING_S = 1.0
"""How long what was not finished in time may take to notice that it is cut off."""

OPEN = ("/health/", "/metrics")
"""What may be asked before it is ready, and while it stops."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Reception:
    """One application. Until *is_ready*, nothing but how it is may be asked of it."""

    def __init__(
        self,
        application: web.Application,
        is_ready: Callable[[], bool],
        connections: Connections | None = None,
        backlog: int = BACKLOG_MAX,
    ) -> None:
        self._is_ready = is_ready
        self._backlog = backlog
        self.connections = Connections() if connections is None else connections
        self.under_way = 0
        """Requests that have come and are not answered."""
        self._is_closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        # What the innermost one refuses, the application's own say in their way.
        application.middlewares.insert(0, self._counting())
        application.middlewares.append(self._checking())
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=LEAVING_S)

    def _counting(self) -> Middleware:
        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = request.protocol if isinstance(request.protocol, Connection) else None
            if connection is not None:
                self.connections.begin(connection)
            self.under_way += 1
            self._idle.clear()
            try:
                answer = await handler(request)
                if connection is not None and answer.status != 401 and "Authorization" in request.headers:
                    connection.is_known = True
            finally:
                self.under_way -= 1
                if not self.under_way:
                    self._idle.set()
                if connection is not None:
                    self.connections.finish(connection)
            if self._is_closing:
                answer.force_close()
            return answer

        return count

    def _checking(self) -> Middleware:
        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not request.path.startswith(OPEN):
                if self._is_closing:
                    raise OverloadedError("stopping: ask again when it has started anew")
                if not self._is_ready():
                    raise OverloadedError("starting: the ledger is being followed to its head")
            return await handler(request)

        return check

    async def open_port(self, host: str, port: int) -> str:
        """Listen for everybody; the address as URLs have it."""
        await self._runner.setup()
        try:
            await _PublicSite(self._runner, host, port, self.connections, self._backlog).start()
        except (OSError, UnicodeError) as error:
            # A name that no address can have is told from one that is not there by the codec for names.
            why = (error.strerror if isinstance(error, OSError) else None) or error
            raise HookledgerError(f"cannot listen on {host}:{port}: {why}; name another --host or --port") from None
        bound = self._runner.addresses[0][1]
        return f"[{host}]:{bound}" if ":" in host else f"{host}:{bound}"

    async def open_operator(self, data: Path) -> None:
        """Listen for the operator, in the data directory."""
        await self._runner.setup()
        try:
            await OperatorSite(self._runner, data).start()
        except OSError as error:
            raise LedgerError(f"the operator's socket cannot be opened in {data}: {error}") from None

    def retire(self) -> None:
        """Answer what has come; of what comes from now on, only what asks for the health, and close each connection."""
        self._is_closing = True

    async def finish(self) -> None:
        """Wait until no request is under way."""
        await self._idle.wait()

    async def close(self) -> None:
        """Take no more connections, cut off the requests that are still under way, close."""
        self._is_closing = True
        await self._runner.cleanup()


class _PublicSite(web.BaseSite):
    """A port; aiohttp's own site knows no connections but its own."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, connections: Connections, backlog: int) -> None:
        super().__init__(runner, backlog=backlog)
        self._host, self._port = host, port
        self._connections = connections

    @property
    def name(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        await super().start()
        server = self._runner.server
        assert server is not None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._connections, server, loop), self._host, self._port, backlog=self._backlog
        )
