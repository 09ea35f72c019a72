"""The sender: aiohttp's connector and parser without the ceremony of its ClientSession, at half the cost."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from functools import partial
from ssl import SSLContext
from typing import Final, cast

from aiohttp import ClientConnectorError, ClientError, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler

from core.errors import OverloadedError
from core.limits import CONNECT_S, IDLE_LINES_MAX, IDLE_S, TOTAL_S
from delivery.addresses import AddressGuard, Lookups, VettingResolver
from delivery.deadlines import Deadlines
from delivery.line import Line
from delivery.resolver import Names
from delivery.sender import Outcome, Target, Unreached, request_bytes, why_not_connected

_NO_CEILING: Final = float("inf")
_OUT_OF_FILES: Final = (errno.EMFILE, errno.ENFILE)


class LeanSender:
    """Posts over lines that it keeps open: the newest idle line of an origin first, so that the others may end.

    aiohttp's connector only makes connections here. Its pool is not used: it cannot say whether a connection is fresh,
    hands out the oldest first, and costs a tenth of a request.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        tls: SSLContext | None = None,
        resolver: AbstractResolver | None = None,
        connect_s: float = CONNECT_S,
        total_s: float = TOTAL_S,
        idle_s: float = IDLE_S,
        idle_max: int = IDLE_LINES_MAX,
    ) -> None:
        """`tls` verifies certificates in place of the system's store, `resolver` looks names up in place of the
        system's resolver. To be made in a running loop."""
        self._loop = asyncio.get_running_loop()
        self._tls = tls
        self._connect_s = connect_s
        self._total_s = total_s
        self._idle_max = idle_max
        self._lines: dict[Line, None] = {}
        self._idle: dict[str, list[Line]] = {}
        self.opened = 0
        """Connections made so far."""
        self._resting: Deadlines[Line] = Deadlines(self._loop, idle_s, Line.drop)
        self._under_way: Deadlines[Line] = Deadlines(self._loop, total_s, self._too_late)
        self._connector = _LineConnector(partial(Line, self._loop, self._rest, self._forget), guard, resolver)

    def target(self, url: str, ssl: bool) -> Target:
        """Prepare a URL; InvalidInputError when it is not one that we post to."""
        return Target(url, ssl, (self._tls or True) if ssl else False, self._loop)

    async def post(self, target: Target, head_lines: bytes, body: bytes) -> Outcome:
        """Post once, over an idle line if there is one, and over a new one if that had been closed meanwhile."""
        request = request_bytes(target.head, head_lines, body)
        idle = self._idle.get(target.origin)
        if not idle:
            return await self._post_anew(target, request, self._loop.time() + self._total_s)
        line = idle.pop()
        self._resting.drop(line)
        end = self._under_way.add(line)
        answer = line.ask(request)
        try:
            outcome = await answer
        except BaseException:  # cancelled too: nobody waits for this answer any more
            line.withdraw(answer)
            raise
        if outcome is None:
            return await self._post_anew(target, request, end)
        return outcome

    @property
    def lines(self) -> tuple[int, int]:
        """Connections that are open now: those with a request under way, and those that wait for the next one."""
        return len(self._lines) - len(self._resting), len(self._resting)

    @property
    def lookups(self) -> Lookups:
        """What became of looking names up."""
        return self._connector.lookups

    @property
    def looking_up(self) -> int:
        """Names that are being looked up."""
        return self._connector.looking_up

    async def close(self) -> None:
        """Close every connection. A post that is still under way is cancelled."""
        self._resting.stop()
        self._under_way.stop()
        for line in tuple(self._lines):
            line.drop()
        await self._connector.close()

    async def _post_anew(self, target: Target, request: bytes, end: float) -> Outcome:
        line = await self._connect(target, end)
        if isinstance(line, Unreached):
            return line
        # This one started earlier than the order of Deadlines would have it, so it gets a timer of its own.
        line.timer = self._loop.call_at(end, self._too_late, line)
        answer = line.ask(request)
        try:
            outcome = await answer
        except BaseException:  # cancelled too: nobody waits for this answer any more
            line.withdraw(answer)
            raise
        assert outcome is not None, "only a reused line can have been closed before"
        return outcome

    async def _connect(self, target: Target, end: float) -> Line | Unreached:
        within_s = min(self._connect_s, end - self._loop.time())
        timeout = ClientTimeout(connect=max(within_s, 0.001), ceil_threshold=_NO_CEILING)
        try:
            connection = await self._connector.connect(target.request, [], timeout)
        except TimeoutError:
            return Unreached(f"cannot connect within {within_s:.3g} seconds")
        except (ClientError, OSError) as error:
            cause = error.os_error if isinstance(error, ClientConnectorError) else error
            if isinstance(cause, OSError) and cause.errno in _OUT_OF_FILES:
                raise OverloadedError("too many open files: `ulimit -n` says how many there may be") from error
            if self._connector.closed:
                raise asyncio.CancelledError("the sender was closed") from error
            return Unreached(why_not_connected(error))
        line = connection.protocol
        assert isinstance(line, Line)
        line.hand_over(connection, target.origin)
        self.opened += 1
        self._lines[line] = None
        return line

    def _too_late(self, line: Line) -> None:
        line.give_up(f"the target did not answer within {self._total_s:g} seconds")

    def _rest(self, line: Line) -> None:
        """The answer is whole: keep the line for the next request to the same origin."""
        self._off_the_clock(line)
        self._resting.add(line)
        idle = self._idle.get(line.origin)
        if idle is None:
            self._idle[line.origin] = [line]
        else:
            idle.append(line)
        if len(self._resting) > self._idle_max:
            self._resting.oldest().drop()

    def _forget(self, line: Line) -> None:
        self._lines.pop(line, None)
        self._off_the_clock(line)
        self._resting.drop(line)
        idle = self._idle.get(line.origin)
        if idle is not None:
            if line in idle:
                idle.remove(line)
            if not idle:
                del self._idle[line.origin]

    def _off_the_clock(self, line: Line) -> None:
        if line.timer is None:
            self._under_way.drop(line)
        else:
            line.timer.cancel()
            line.timer = None


class _LineConnector(TCPConnector):
    """aiohttp's connector, making our lines, to addresses that the guard lets pass."""

    def __init__(self, new_line: Callable[[], Line], guard: AddressGuard, resolver: AbstractResolver | None) -> None:
        vetting = VettingResolver(guard, resolver)
        self.lookups = vetting.lookups
        self._names = Names(vetting)
        super().__init__(limit=0, resolver=self._names, use_dns_cache=False, socket_factory=guard.open_socket)
        self._factory = cast("partial[ResponseHandler]", new_line)

    @property
    def looking_up(self) -> int:
        return self._names.under_way

    async def close(self, *, abort_ssl: bool = True) -> None:
        await super().close(abort_ssl=abort_ssl)
        await self._names.close()
