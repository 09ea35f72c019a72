"""Names and their addresses: looked up once for all who wait, so many at once, and remembered for a short while."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from aiodns import error as dns
from aiohttp import AsyncResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from core.errors import OverloadedError
from core.limits import LOOKUP_S, LOOKUPS_MAX, NAME_FAILED_S, NAME_S, NAMES_MAX

TRIES: Final = 4
"""How often each DNS server is asked, with longer and longer waits: four seconds in all for one that is quick as a
rule, for it may have to ask others, and those are slow now and then."""

OWN_AGAIN_S: Final = 1.0
"""How long a look-up that this machine could not make is not tried again."""

_OWN_FAULTS: Final = (dns.ARES_ECONNREFUSED, dns.ARES_ENOMEM, dns.ARES_EFILE, dns.ARES_ENOTINITIALIZED)
"""What c-ares says where no DNS server was asked: they cannot be reached, or there are no more files or memory."""


class DnsResolver(AbstractResolver):
    """Asks the DNS servers of this machine, or those given, by c-ares: no thread waits for an answer, so that any
    number of names may hang. It reads resolv.conf and hosts, and no other source of names that a system may have."""

    def __init__(self, servers: list[str] | None = None) -> None:
        """`servers` as `ADDRESS:PORT`, in place of those of the system. To be made in a running loop."""
        self._inner = AsyncResolver(tries=TRIES, nameservers=servers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """OSError: the name has no address. OverloadedError: nobody was asked."""
        try:
            return await self._inner.resolve(host, port, family)
        except OSError as error:
            cause = error.__cause__
            if isinstance(cause, dns.DNSError) and cause.args[0] in _OWN_FAULTS:
                raise OverloadedError("no DNS server can be asked: look at resolv.conf and the network") from None
            raise

    async def close(self) -> None:
        await self._inner.close()


class _Known:
    """What came of a look-up, until it is forgotten: the addresses of each family, or the error."""

    __slots__ = ("_error", "_families", "_turn", "until")

    def __init__(self, until: float, families: list[list[ResolveResult]], error: Exception | None = None) -> None:
        self.until = until
        self._families = families
        self._error = error
        self._turn = -1

    def addresses(self, port: int) -> list[ResolveResult]:
        """Two addresses to try, of two families where there are, other ones each time; or the error, raised."""
        if self._error is not None:
            raise self._error.with_traceback(None)
        self._turn += 1
        some = [family[self._turn % len(family)] for family in self._families]
        if len(some) == 1 and len(self._families[0]) > 1:
            (family,) = self._families
            some.append(family[(self._turn + 1) % len(family)])
        return [{**result, "port": port} for result in some]


class Names(AbstractResolver):
    """Looks names up through another resolver.

    Who asks for a name that is being looked up waits for that look-up, and one that hangs delays nobody but them. To
    look up the name of a receiver that is gone is part of an attempt; to wait until there is room for a look-up would
    not be, so nobody does. An answer gives two addresses at most: as many files does one connection take.
    """

    def __init__(
        self,
        inner: AbstractResolver,
        *,
        lookups_max: int = LOOKUPS_MAX,
        lookup_s: float = LOOKUP_S,
        names_max: int = NAMES_MAX,
        fresh_s: float = NAME_S,
        failed_s: float = NAME_FAILED_S,
    ) -> None:
        """To be made in a running loop."""
        self._loop = asyncio.get_running_loop()
        self._inner = inner
        self._lookups_max, self._lookup_s = lookups_max, lookup_s
        self._names_max, self._fresh_s, self._failed_s = names_max, fresh_s, failed_s
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[_Known]] = {}

    @property
    def under_way(self) -> int:
        """Look-ups that wait for their answer."""
        return len(self._asking)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of a name, of any family. OSError: it has none. OverloadedError: this machine could not ask."""
        known = self._known.get(host)
        if known is None or known.until <= self._loop.time():
            known = await asyncio.shield(self._asking.get(host) or self._ask(host))
        return known.addresses(port)

    async def close(self) -> None:
        """End all look-ups: who waits for one is cancelled."""
        for task in self._asking.values():
            task.cancel()
        await self._inner.close()

    def _ask(self, host: str) -> asyncio.Task[_Known]:
        if len(self._asking) >= self._lookups_max:
            raise OverloadedError(f"{self._lookups_max} names are being looked up already", limit="LOOKUPS_MAX")
        task = self._asking[host] = asyncio.create_task(self._look_up(host))
        task.add_done_callback(lambda _: self._asking.pop(host))
        return task

    async def _look_up(self, host: str) -> _Known:
        try:
            async with asyncio.timeout(self._lookup_s):
                found = await self._inner.resolve(host, 0, socket.AF_UNSPEC)
        except TimeoutError:
            known = self._failed(OSError(None, f"no answer within {self._lookup_s:g} seconds"), self._failed_s)
        except OSError as error:
            known = self._failed(error, self._failed_s)
        except OverloadedError as error:
            known = self._failed(error, OWN_AGAIN_S)
        else:
            families: dict[int, list[ResolveResult]] = {}
            for result in found:
                families.setdefault(result["family"], []).append(result)
            known = _Known(self._loop.time() + self._fresh_s, list(families.values()))
        self._known.pop(host, None)
        self._known[host] = known
        if len(self._known) > self._names_max:
            del self._known[next(iter(self._known))]
        return known

    def _failed(self, error: Exception, again_s: float) -> _Known:
        # What led to it keeps whole frames alive.
        error.__cause__ = error.__context__ = None
        return _Known(self._loop.time() + again_s, [], error)
