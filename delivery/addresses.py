"""Which addresses we refuse to connect to, asked when a webhook is configured and again for every connection."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from yarl import URL

from core.errors import InvalidInputError
from core.histogram import LATENCY_BOUNDS, Histogram
from core.limits import ADDRESSES_MAX

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# `is_global` of the standard library is no help: it is True for multicast, NAT64, 6to4, IPv4-compatible and
# site-local addresses. The first network that holds an address says why it is refused.
_REFUSED_4: Final = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "it means this machine"),
        ("10.0.0.0/8", "it is private"),
        ("100.64.0.0/10", "it is shared by a carrier's customers"),
        ("127.0.0.0/8", "it is loopback"),
        ("168.63.129.16/32", "it is the cloud platform's own"),
        ("169.254.0.0/16", "it is link-local, where cloud platforms keep credentials"),
        ("172.16.0.0/12", "it is private"),
        ("192.0.0.0/24", "it is reserved for protocols"),
        ("192.0.2.0/24", "it is for documentation"),
        ("192.88.99.0/24", "it is a 6to4 relay"),
        ("192.168.0.0/16", "it is private"),
        ("198.18.0.0/15", "it is for benchmarks"),
        ("198.51.100.0/24", "it is for documentation"),
        ("203.0.113.0/24", "it is for documentation"),
        ("224.0.0.0/4", "it is multicast"),
        ("240.0.0.0/4", "it is reserved or broadcast"),
    )
)
_REFUSED_6: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::/128", "it means this machine"),
        ("::1/128", "it is loopback"),
        ("64:ff9b:1::/48", "it is translated into private IPv4"),
        ("::/8", "it is reserved, some of it for embedded IPv4"),
        ("100::/64", "it is for discarding"),
        ("2001::/23", "it is reserved for protocols, Teredo among them"),
        ("2001:db8::/32", "it is for documentation"),
        ("2002::/16", "it is 6to4, which leads to an IPv4 address"),
        ("3fff::/20", "it is for documentation"),
        ("5f00::/16", "it is for segment routing"),
        ("fc00::/7", "it is private"),
        ("fe80::/10", "it is link-local"),
        ("fec0::/10", "it is site-local"),
        ("ff00::/8", "it is multicast"),
    )
)
_PUBLIC_6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = 0x00005EFE
_ISATAP_GLOBAL_BIT: Final = 0x02000000


class RefusedAddressError(OSError):
    """We do not connect to this address; an OSError, so that aiohttp takes it for a failed connection."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"address {address} is not allowed: {why}")


class AddressGuard:
    """Says which addresses may be connected to: public ones, and those in the networks that the operator allows."""

    def __init__(self, allow: Sequence[Network] = ()) -> None:
        self._allow = tuple(allow)

    def check(self, ip: str | Address) -> str | None:
        """Why this address is refused; None when it is not."""
        try:
            address = ip_address(ip)
        except ValueError:
            return "it is not an address"
        if any(address in network for network in self._allow):
            return None
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        # The kernel connects a mapped address over IPv4, so what is said of the IPv4 address holds, allowed or not.
        return self.check(mapped) if mapped is not None else _why_refused(address)

    def check_url(self, url: str) -> None:
        """InvalidInputError when the host of a URL is an address, or stands for one, that is refused.
        Names are looked up when connecting, not here."""
        try:
            host = URL(url).host or ""
        except ValueError as error:
            raise InvalidInputError(f"this is not a URL: {error}") from error
        address = _address_of(host)
        why = None if address is None else self.check(address)
        if address is not None and why is not None:
            raise InvalidInputError(
                f"{host} is not allowed as a target: {why}. Whoever runs this service can allow it with "
                f"--allow-target {ip_network(address)}"
            )

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        """The socket for one connection, or RefusedAddressError: aiohttp's `socket_factory`, which sees the final
        address of every connection, also of literals, about which it asks no resolver."""
        family, kind, protocol, _, (ip, *_) = info
        why = self.check(str(ip))
        if why is not None:
            raise RefusedAddressError(str(ip), why)
        return socket.socket(family, kind, protocol)


class Lookups:
    """How often names were looked up and how that went, and how long it took."""

    def __init__(self) -> None:
        self.ended = Counter(found=0, failed=0, refused=0)
        self.took_ms = Histogram(LATENCY_BOUNDS)


class VettingResolver(AbstractResolver):
    """Looks names up through another resolver, and refuses a name of which any address is refused."""

    def __init__(self, guard: AddressGuard, inner: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._inner = inner or ThreadedResolver()
        self.lookups = Lookups()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop, outcome = asyncio.get_running_loop(), "failed"
        began_at = loop.time()
        try:
            found = await self._vetted(host, port, family)
            outcome = "found"
        except RefusedAddressError:
            outcome = "refused"
            raise
        finally:
            self.lookups.ended[outcome] += 1
            self.lookups.took_ms.add((loop.time() - began_at) * 1000)
        return found

    async def _vetted(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        try:
            found = await self._inner.resolve(host, port, family)
        except UnicodeError as error:
            raise OSError("the name is not one that can be looked up") from error
        if not found:
            raise OSError("the name has no address")
        del found[ADDRESSES_MAX:]
        for result in found:
            why = self._guard.check(result["host"])
            if why is not None:
                raise RefusedAddressError(result["host"], why)
        return found

    async def close(self) -> None:
        await self._inner.close()


def _why_refused(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((why for network, why in _REFUSED_4 if address in network), None)
    if address.scope_id is not None:
        return "its zone is known to this machine only"
    embedded = _embedded(address)
    if embedded is not None and (why := _why_refused(embedded)) is not None:
        return f"it leads to {embedded}, and {why}"
    if address in _NAT64:
        return None
    for network, why in _REFUSED_6:
        if address in network:
            return why
    return None if address in _PUBLIC_6 else "it is not public"


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this address end up at, where it says so (NAT64, ISATAP)."""
    bits = int(address)
    tunnel = (bits >> 32) & 0xFFFFFFFF & ~_ISATAP_GLOBAL_BIT
    if address in _NAT64 or tunnel == _ISATAP:
        return IPv4Address(bits & 0xFFFFFFFF)
    return None


def _address_of(host: str) -> Address | None:
    """The address that a host is, or None for a name. A host that ends in a number is an address (as browsers have
    it), and must be written plainly: 127.1, 0x7f000001 or 0177.0.0.1 are read differently by different programs."""
    name = host.rstrip(".").lower()
    try:
        address = ip_address(name)
    except ValueError:
        address = None
    if address is not None and host == name:
        return address
    last = name.rpartition(".")[2]
    if address is not None or last.isdigit() or last.startswith("0x"):
        raise InvalidInputError(f"{host} is not how an address is written; write it like 192.0.2.1 or [2001:db8::1]")
    if name == "localhost" or name.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    return None
