"""The same port over a plain aiohttp ClientSession: slow, and nothing of ours in it, so a judge of the lean sender."""

from __future__ import annotations

import asyncio
from io import BytesIO
from ssl import SSLContext
from types import SimpleNamespace

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientOSError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    ServerDisconnectedError,
    TCPConnector,
    TraceConfig,
)

from core.limits import ANSWER_BYTES_MAX, ANSWER_HEADER_CHARS_MAX, ANSWER_HEADERS_MAX
from delivery.addresses import AddressGuard, VettingResolver
from delivery.sender import Answered, Outcome, Target, Unreached, why_not_connected

AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class PlainSender:
    """Keeps aiohttp's pool in one session; another, without a pool, makes the retry on a fresh connection."""

    def __init__(self, guard: AddressGuard, *, tls: SSLContext | None, connect_s: float, total_s: float) -> None:
        self._tls = tls
        self._connect_s = connect_s
        self._total_s = total_s
        self._pooled = self._session(guard, force_close=False)
        self._fresh = self._session(guard, force_close=True)

    def target(self, url: str, ssl: bool) -> Target:
        return Target(url, ssl, (self._tls or True) if ssl else False, asyncio.get_running_loop())

    async def post(self, target: Target, head_lines: bytes, body: bytes) -> Outcome:
        seen = SimpleNamespace(reused=False)
        try:
            return await self._post(self._pooled, target, head_lines, body, seen)
        except ClientConnectorError as error:
            return Unreached(why_not_connected(error))
        except (ServerDisconnectedError, ClientOSError) as error:
            begun = isinstance(error, ServerDisconnectedError) and not isinstance(error.message, str)
            if begun or not seen.reused:
                return Unreached(f"{error}")
        try:
            return await self._post(self._fresh, target, head_lines, body, seen)
        except (ClientError, OSError) as error:
            return Unreached(f"{error}")

    async def close(self) -> None:
        await self._pooled.close()
        await self._fresh.close()

    async def _post(
        self, session: ClientSession, target: Target, head_lines: bytes, body: bytes, seen: SimpleNamespace
    ) -> Outcome:
        lines = head_lines.decode().split("\r\n")[:-1]
        try:
            async with session.post(
                target.request.url,
                data=BytesIO(body) if len(body) > 1_000_000 else body,
                headers=[(name, value) for name, _, value in (line.partition(": ") for line in lines)],
                ssl=target.request.ssl,
                allow_redirects=False,
                trace_request_ctx=seen,
            ) as response:
                return await self._read(response)
        except ConnectionTimeoutError:
            return Unreached(f"cannot connect within {min(self._connect_s, self._total_s):.3g} seconds")
        except TimeoutError:
            return Unreached(f"the target did not answer within {self._total_s:g} seconds")
        except (ServerDisconnectedError, ClientOSError):
            raise
        except ClientError as error:
            return Unreached(f"{type(error).__name__}")

    async def _read(self, response: ClientResponse) -> Answered:
        body = b""
        truncated = False
        try:
            while chunk := await response.content.read(ANSWER_BYTES_MAX + 1 - len(body)):
                body += chunk
        except (ClientError, TimeoutError, OSError):
            truncated = True
        truncated = truncated or len(body) > ANSWER_BYTES_MAX
        if truncated or response.status == 101:
            response.close()
        headers = tuple(
            (name.decode("latin-1")[:ANSWER_HEADER_CHARS_MAX], value.decode("latin-1")[:ANSWER_HEADER_CHARS_MAX])
            for name, value in response.raw_headers[:ANSWER_HEADERS_MAX]
        )
        return Answered(response.status, headers, body[:ANSWER_BYTES_MAX], truncated)

    def _session(self, guard: AddressGuard, *, force_close: bool) -> ClientSession:
        trace = TraceConfig()

        async def reused(session: ClientSession, context: SimpleNamespace, params: object) -> None:
            context.trace_request_ctx.reused = True

        trace.on_connection_reuseconn.append(reused)
        return ClientSession(
            connector=TCPConnector(
                limit=0, force_close=force_close, resolver=VettingResolver(guard), socket_factory=guard.open_socket
            ),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=AUTOMATIC,
            timeout=ClientTimeout(total=self._total_s, connect=self._connect_s, ceil_threshold=float("inf")),
            trace_configs=[trace],
        )
