"""How names become addresses: looked up once for all, bounded, remembered for a while, and none delays another."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from core.errors import OverloadedError
from core.limits import ADDRESSES_MAX
from delivery.addresses import AddressGuard, RefusedAddressError, VettingResolver
from delivery.resolver import DnsResolver, Names
from tests.delivery.sender.receivers import PATIENCE_S
from tests.name_server import NameServer

A_WHILE_S = 60.0


class Book(AbstractResolver):
    """Looks names up in a book: addresses, an error, or a wait that the test ends."""

    def __init__(self, **names: list[str] | Exception | asyncio.Future[list[str]]) -> None:
        self.names = names
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[ResolveResult]:
        self.asked.append(host)
        found = self.names[host]
        if isinstance(found, Exception):
            raise found
        if isinstance(found, asyncio.Future):
            found = await found
        return [
            {
                "hostname": host,
                "host": ip,
                "port": port,
                "family": socket.AF_INET6 if ":" in ip else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for ip in found
        ]

    async def close(self) -> None:
        pass


def a_wait() -> asyncio.Future[list[str]]:
    return asyncio.get_running_loop().create_future()


async def hosts(names: AbstractResolver, host: str) -> list[str]:
    return [result["host"] for result in await names.resolve(host, 443)]


async def test_who_asks_for_the_same_name_shares_the_look_up():
    """A hundred connections to one name ask for it once, and each gets the port that it wants."""
    book = Book(shop=a_wait())
    names = Names(book)
    waiting = [asyncio.create_task(names.resolve("shop", port)) for port in range(1, 101)]
    asyncio.get_running_loop().call_later(0.01, book.names["shop"].set_result, ["8.8.8.8"])
    found = await asyncio.gather(*waiting)
    assert [(one["host"], one["port"]) for (one,) in found] == [("8.8.8.8", port) for port in range(1, 101)]
    assert book.asked == ["shop"]
    assert names.under_way == 0


async def test_a_name_that_hangs_delays_nobody_else():
    """While one name waits for its answer, others get theirs; who gives up on it does not end it for the rest."""
    book = Book(slow=a_wait(), quick=["8.8.8.8"])
    names = Names(book, lookup_s=A_WHILE_S)
    patient = asyncio.create_task(hosts(names, "slow"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await hosts(names, "slow")
    assert await hosts(names, "quick") == ["8.8.8.8"]
    book.names["slow"].set_result(["9.9.9.9"])
    assert await patient == ["9.9.9.9"]
    assert book.asked == ["slow", "quick"]


async def test_an_answer_is_waited_for_so_long_and_no_longer():
    """A look-up that hangs ends with a reason that says so, for all who wait, and is not made again for a while."""
    book = Book(dead=a_wait())
    names = Names(book, lookup_s=0.02)
    for _ in range(3):
        waiting = [hosts(names, "dead") for _ in range(3)]
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [str(end.strerror) for end in ends] == ["no answer within 0.02 seconds"] * 3
    assert book.asked == ["dead"]


@pytest.mark.parametrize(
    "found", [["8.8.8.8"], OSError("no such name"), RefusedAddressError("10.0.0.1", "it is private")], ids=repr
)
async def test_what_was_found_is_remembered_for_a_while(found):
    """Addresses as well as failures are, with their reason, until their time is over."""
    for remembered_s, asked in ((A_WHILE_S, 1), (0.0, 3)):
        book = Book(shop=found)
        names = Names(book, fresh_s=remembered_s, failed_s=remembered_s)
        for _ in range(3):
            if isinstance(found, list):
                assert await hosts(names, "shop") == found
            else:
                with pytest.raises(type(found)) as caught:
                    await hosts(names, "shop")
                assert str(caught.value) == str(found)
        assert len(book.asked) == asked


async def test_so_many_names_are_looked_up_at_once():
    """One more is refused as this machine's matter, not as the name's; when one has ended, there is room again."""
    book = Book(a=a_wait(), b=a_wait(), c=["8.8.8.8"])
    names = Names(book, lookups_max=2)
    waiting = [asyncio.create_task(hosts(names, host)) for host in "aab"]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting[0]), 0.01)
    with pytest.raises(OverloadedError) as caught:
        await hosts(names, "c")
    assert caught.value.limit == "LOOKUPS_MAX"
    book.names["b"].set_result(["9.9.9.9"])
    assert await waiting[2] == ["9.9.9.9"]
    assert await hosts(names, "c") == ["8.8.8.8"]
    await names.close()
    await asyncio.wait(waiting)
    assert waiting[0].cancelled()


async def test_so_many_names_are_remembered():
    """Beyond the limit the oldest is forgotten."""
    book = Book(**{host: ["8.8.8.8"] for host in "abc"})
    names = Names(book, names_max=2, fresh_s=A_WHILE_S)
    for host in "abcbca":
        await hosts(names, host)
    assert book.asked == ["a", "b", "c", "a"]


async def test_each_connection_tries_two_addresses_in_turn():
    """Of many addresses a connection gets two, of both families if there are, and the next one gets others."""
    book = Book(one=["8.8.8.1", "8.8.8.2", "8.8.8.3"], both=["2606:4700::1", "2606:4700::2", "8.8.8.1"])
    names = Names(book)
    assert [await hosts(names, "one") for _ in range(4)] == [
        ["8.8.8.1", "8.8.8.2"],
        ["8.8.8.2", "8.8.8.3"],
        ["8.8.8.3", "8.8.8.1"],
        ["8.8.8.1", "8.8.8.2"],
    ]
    assert [await hosts(names, "both") for _ in range(2)] == [["2606:4700::1", "8.8.8.1"], ["2606:4700::2", "8.8.8.1"]]


SAYS = {
    "unknown.example": "not found",
    "servfail.example": "general failure",
    "refused.example": "refused",
    "nodata.example": "no data",
    "loop.example": "no data",
    "garbage.example": "reply",
    "a..b": "domain name",
    "inside.example": "10.0.0.1 is not allowed: it is private",
    "mixed.example": "10.0.0.1 is not allowed: it is private",
    "mapped.example": "not allowed",
}


async def test_what_a_name_server_says_is_the_reason():
    """Whatever a name server answers that is no address is a failure of that name, and says in words what it was."""
    async with NameServer() as server:
        server.names = {
            "servfail.example": "SERVFAIL",
            "refused.example": "REFUSED",
            "nodata.example": [],
            "loop.example": ["=pool.example"],
            "pool.example": ["=loop.example"],
            "garbage.example": "garbage",
            "inside.example": ["10.0.0.1"],
            "mixed.example": ["8.8.8.8", "10.0.0.1"],
            "mapped.example": ["::ffff:127.0.0.1"],
            "alias.example": ["=good.example"],
            "good.example": ["8.8.8.8", "2606:4700::1"],
            "many.example": [f"8.8.{number // 250}.{number % 250 + 1}" for number in range(1_000)],
        }
        vetting = VettingResolver(AddressGuard(), DnsResolver([server.address]))
        names = Names(vetting)
        async with asyncio.timeout(PATIENCE_S):
            for host, says in SAYS.items():
                with pytest.raises(OSError, match=says):
                    await hosts(names, host)
            assert sorted(await hosts(names, "good.example")) == ["2606:4700::1", "8.8.8.8"]
            assert sorted(await hosts(names, "alias.example")) == ["2606:4700::1", "8.8.8.8"]
            assert len(await hosts(names, "many.example")) == 2
            assert len(await vetting.resolve("many.example")) == ADDRESSES_MAX
        await names.close()


async def test_no_name_server_is_no_failure_of_the_name():
    """When nobody can be asked, this machine says so of itself, and asks again a moment later."""
    async with NameServer() as server:
        server.names = {"good.example": ["8.8.8.8"]}
        gone = NameServer()
        async with gone:
            pass
        lost = Names(DnsResolver([gone.address]))
        with pytest.raises(OverloadedError, match="no DNS server can be asked"):
            await hosts(lost, "good.example")
        await lost.close()
        names = Names(DnsResolver([gone.address, server.address]))
        assert await hosts(names, "good.example") == ["8.8.8.8"]
        await names.close()
