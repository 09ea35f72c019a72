"""Which addresses are refused, in whatever way they are written, when configured and when connected to."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from core.errors import InvalidInputError
from delivery.addresses import AddressGuard, RefusedAddressError, VettingResolver
from delivery.lean_sender import LeanSender
from delivery.sender import Answered, Unreached

REFUSED = """
127.0.0.1 127.255.255.254 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255
169.254.169.254 169.254.0.1 168.63.129.16 100.100.100.200 192.0.0.192
0.0.0.0 0.1.2.3 100.64.0.1 100.127.255.255 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 fc00::1 fd00:ec2::254 fd20:ce::254 fe80::1 fe80::1%eth0 2a00:1450:4001:80b::200e%1
fec0::1 feff::1 ff02::1 ff0e::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 ::127.0.0.1 ::7f00:1 ::8.8.8.8
64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::10.1.2.3 64:ff9b::224.0.0.1 64:ff9b:1::1 64:ff9b:1::8.8.8.8
2002:7f00:1:: 2002:a9fe:a9fe::1 2002:808:808::1 2001::1 2001:0:7f00:1::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1
3fff::1 5f00::1 100::1 100:0:0:1::1 200::1 4000::1 8000::1 e000::1
2a00:1450:4001:80b:0:5efe:127.0.0.1 2a00:1450:4001:80b:200:5efe:10.0.0.1 fe80::5efe:8.8.8.8
"""
ODD = """
2130706433 0x7f000001 0x7f.1 0177.0.0.1 127.1 127.0.1 0 017700000001 127.0.0.1. 8.8.8.8. 134744072 1.2.3.256
"""
PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 172.15.255.255 172.32.0.1
169.253.255.255 169.255.0.1 192.0.1.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 223.255.255.255
2606:4700:4700::1111 2a00:1450:4001:80b::200e 2001:4860:4860::8888 2003::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8
2a00:1450:4001:80b:0:5efe:8.8.8.8
"""


@pytest.mark.parametrize("ip", REFUSED.split())
def test_addresses_that_lead_inside_are_refused(ip):
    """Private, local, reserved and shared addresses are refused, also inside other addresses, with a reason."""
    reason = AddressGuard().check(ip)
    assert reason
    assert AddressGuard().check(ip_address(ip)) == reason


@pytest.mark.parametrize("ip", PUBLIC.split())
def test_public_addresses_pass(ip):
    """The neighbours of what is refused pass, and public addresses inside others that lead to them."""
    assert AddressGuard().check(ip) is None


@pytest.mark.parametrize("ip", ["", "receiver.example", "127.1", "0x7f000001", "2130706433", "1.1.1.1/32", "1.1.1.01"])
def test_what_is_not_an_address_is_refused(ip):
    """Nothing passes for want of being understood."""
    assert AddressGuard().check(ip) == "it is not an address"


def test_only_what_is_allowed_passes():
    """An allowed network lets its own addresses pass, mapped or not, and no others, not even those embedding them."""
    guard = AddressGuard([IPv4Network("127.0.0.0/8"), IPv4Network("10.1.0.0/16"), IPv6Network("fd00:1::/32")])
    for ip in ("127.0.0.1", "10.1.255.255", "fd00:1::9", "::ffff:127.0.0.1", "::ffff:10.1.0.1", "8.8.8.8"):
        assert guard.check(ip) is None, ip
    for ip in ("10.2.0.1", "::1", "fd00:2::9", "64:ff9b::127.0.0.1", "2002:7f00:1::", "::127.0.0.1", "::ffff:10.2.0.1"):
        assert guard.check(ip) is not None, ip
    everything = AddressGuard([ip_network("0.0.0.0/0"), ip_network("::/0")])
    assert [ip for ip in REFUSED.split() if everything.check(ip) is not None] == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8080",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "[::1]",
        "[::]:80",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1%25eth0]",
        "169.254.169.254",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "portal.localhost",
        "user:password@10.0.0.1",
    ],
)
def test_refused_hosts_are_named_when_configured(host):
    """Whoever configures a webhook learns at once that its host is refused, and how it could be allowed."""
    with pytest.raises(InvalidInputError, match="--allow-target") as caught:
        AddressGuard().check_url(f"https://{host}/hook")
    assert "password" not in str(caught.value)


@pytest.mark.parametrize("host", ODD.split())
def test_odd_spellings_of_addresses_are_refused(host):
    """An address that others may read differently is refused for its spelling, wherever it leads."""
    with pytest.raises(InvalidInputError, match="not how an address is written"):
        AddressGuard([ip_network("0.0.0.0/0")]).check_url(f"https://{host}/hook")


def test_names_and_allowed_addresses_can_be_configured():
    """Names are not looked up when configured; allowed addresses pass, and what stands for them."""
    guard = AddressGuard([IPv4Network("127.0.0.0/8")])
    for host in ("receiver.example", "receiver.example.", "bücher.example", "127.0.0.1", "localhost", "8.8.8.8", "a1"):
        guard.check_url(f"https://{host}/hook")
    with pytest.raises(InvalidInputError):
        AddressGuard().check_url("https://127.0.0.1:99999/")


class Fixed(AbstractResolver):
    """A resolver whose answers are known."""

    def __init__(self, *ips: str) -> None:
        self._ips = ips

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=ip, port=port, family=socket.AF_UNSPEC, proto=0, flags=0)
            for ip in self._ips
        ]

    async def close(self) -> None:
        self._ips = ()


async def test_a_name_with_one_refused_address_is_refused():
    """A single address that leads inside is enough, wherever it stands in the answer."""
    for ips in (("10.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("::ffff:127.0.0.1", "8.8.8.8"), ("8.8.8.8", "fe80::1%eth0")):
        with pytest.raises(RefusedAddressError):
            await VettingResolver(AddressGuard(), Fixed(*ips)).resolve("receiver.example", 443)


async def test_a_name_with_public_addresses_is_resolved_to_them():
    """What passes is handed on as numbers, so that nothing is looked up again."""
    found = await VettingResolver(AddressGuard(), Fixed("8.8.8.8", "2606:4700::1")).resolve("receiver.example", 443)
    assert [(result["host"], result["port"]) for result in found] == [("8.8.8.8", 443), ("2606:4700::1", 443)]


async def test_a_name_that_cannot_be_looked_up_is_an_os_error():
    """What is wrong with a name is the receiver's fault, never an exception of ours."""
    resolver = VettingResolver(AddressGuard())
    for name in ("a" * 64 + ".example", "a..b", "receiver.invalid"):
        with pytest.raises(OSError, match=r".+"):
            await resolver.resolve(name, 443)
    with pytest.raises(OSError, match="no address"):
        await VettingResolver(AddressGuard(), Fixed()).resolve("receiver.example", 443)


def test_a_socket_is_opened_for_what_passes_only():
    """The last check is on the address of the very connection."""
    guard = AddressGuard([IPv4Network("127.0.0.0/8")])
    with guard.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))) as opened:
        assert opened.family == socket.AF_INET
    with pytest.raises(RefusedAddressError, match=r"address 10\.0\.0\.1 is not allowed: it is private"):
        guard.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.0.0.1", 80)))
    with pytest.raises(RefusedAddressError):
        guard.open_socket((socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", 80, 0, 0)))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "①②⑦.⓪.⓪.①", "localhost", "0x7f000001", "0177.0.0.1", "127.1", "0"],
)
async def test_nothing_is_sent_to_a_refused_address(host):
    """Literals, names and odd spellings end before a connection, with the reason, for a server that is listening."""
    accepted = []
    server = await asyncio.start_server(lambda _, writer: (accepted.append(1), writer.close()), ["127.0.0.1"], 0)
    port = server.sockets[0].getsockname()[1]
    sender = LeanSender(AddressGuard(), connect_s=2, total_s=2)
    try:
        outcome = await sender.post(sender.target(f"http://{host}:{port}/", False), b"", b"{}")
        assert isinstance(outcome, Unreached)
        assert "not allowed" in outcome.reason or "plainly written" in outcome.reason
        assert accepted == []
    finally:
        await sender.close()
        server.close()
        await server.wait_closed()


async def test_a_name_that_turns_inside_is_not_followed():
    """A name vetted once may not lead elsewhere later: each connection goes to an address that was vetted for it."""

    async def polite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(polite, ["127.0.0.1"], 0)
    port = server.sockets[0].getsockname()[1]
    guard = AddressGuard([IPv4Network("127.0.0.1/32")])
    for ips, outcome in ((("127.0.0.1",), Answered), (("127.0.0.2",), Unreached), (("127.0.0.1", "::1"), Unreached)):
        sender = LeanSender(guard, resolver=Fixed(*ips), connect_s=2, total_s=2)
        target = sender.target(f"http://receiver.example:{port}/", False)
        assert isinstance(await sender.post(target, b"", b"{}"), outcome)
        await sender.close()
    server.close()
    await server.wait_closed()
