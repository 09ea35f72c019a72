"""The connections to the public port: so many at once, and none for long without a request."""

from __future__ import annotations

import asyncio
from typing import cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from core.errors import InvalidInputError, OverloadedError
from core.gauges import Sample
from core.limits import CONNECTION_IDLE_S, CONNECTIONS_MAX
from core.web.app import problem

DETAIL_CHARS_MAX = 100
"""Said to a stranger of what is wrong with what they sent."""


class Connections:
    """Counts the connections to one port.

    When one more comes than there may be, the one that has been idle longest makes room: first among those on which
    nobody has said who they are. If none is idle, the new one is turned away. So whoever opens connections and says
    nothing, or says it slowly, takes them from others who do the same. *idle_s*: how long the head of a request may
    take to come, from the opening or from the answer before.
    """

    def __init__(self, connections_max: int = CONNECTIONS_MAX, idle_s: float = CONNECTION_IDLE_S) -> None:
        self._max = connections_max
        self.idle_s = idle_s
        self._strangers: dict[Connection, None] = {}
        """Those without a request under way, the longest idle first."""
        self._known: dict[Connection, None] = {}
        """The same, of who was recognised by a token."""
        self._all: set[Connection] = set()
        self.made_room = self.turned_away = 0
        """How many were closed for others, and how many found no room."""

    @property
    def open(self) -> int:
        return len(self._all)

    async def samples(self) -> list[Sample]:
        """For `/metrics`."""
        return [
            ("hookledger_http_connections", (), self.open),
            ("hookledger_http_connections_closed_total", ("made_room",), self.made_room),
            ("hookledger_http_connections_closed_total", ("turned_away",), self.turned_away),
        ]

    def enter(self, connection: Connection) -> bool:
        """Whether there is room for one more."""
        if len(self._all) >= self._max:
            idle = self._strangers or self._known
            if not idle:
                self.turned_away += 1
                return False
            self.made_room += 1
            next(iter(idle)).end()
        self._all.add(connection)
        self._strangers[connection] = None
        return True

    def begin(self, connection: Connection) -> None:
        """A request has come."""
        self._strangers.pop(connection, None)
        self._known.pop(connection, None)

    def finish(self, connection: Connection) -> None:
        """It is answered."""
        if connection in self._all:
            (self._known if connection.is_known else self._strangers)[connection] = None

    def leave(self, connection: Connection) -> None:
        self._all.discard(connection)
        self.begin(connection)


class Connection(RequestHandler):
    """One of them. What comes on it and is no HTTP is answered with a problem, as all that is wrong with a request."""

    def __init__(self, connections: Connections, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop=loop, keepalive_timeout=connections.idle_s, access_log=None)  # type: ignore[arg-type]
        self._connections = connections
        self.is_known = False
        """Somebody has said on it who they are, and was recognised."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._connections.enter(self):
            super().connection_made(transport)
            return
        self.force_close()
        refusal = cast(asyncio.Transport, transport)
        refusal.write(_full())
        refusal.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.leave(self)
        super().connection_lost(exc)

    def end(self) -> None:
        """Close it at once."""
        self._connections.leave(self)
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status != 400:
            return super().handle_error(request, status, exc, message)
        detail = (message or "").partition("\n")[0].rstrip(":")[:DETAIL_CHARS_MAX]
        answer = problem(InvalidInputError(f"this is not an HTTP request: {detail}"))
        answer.force_close()
        return answer


def _full() -> bytes:
    """What who is turned away is told."""
    answer = problem(OverloadedError("there are too many connections, all of them in use", limit="CONNECTIONS_MAX"))
    lines = [
        f"HTTP/1.1 {answer.status} {answer.reason}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    body = cast(bytes, answer.body)
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body
