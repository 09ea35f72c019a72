"""Names that hang, that lie, and that nobody can be asked about: each is its own webhook's matter, or nobody's."""

from __future__ import annotations

import asyncio

import pytest

from delivery.resolver import TRIES, DnsResolver
from tests.faults.live import Live
from tests.name_server import NameServer

HANGING = 200
SOON_S = 2.0
"""Far more than a delivery takes, and far less than a name that hangs."""


@pytest.fixture(name="names")
async def _names():
    async with NameServer() as server:
        yield server


async def test_names_that_hang_cost_the_others_nothing(tmp_path, names, mailbox):
    """While the names of 200 webhooks hang, a good receiver is looked up and gets its deliveries as if they did not,
    and the service is ready all the time."""
    names.names = {"good.example": ["127.0.0.1"]} | {f"{n}.hangs.example": "nothing" for n in range(HANGING)}
    loop = asyncio.get_running_loop()
    async with Live(tmp_path / "data", resolver=DnsResolver([names.address])) as live:
        for number in range(HANGING):
            await live.webhook(f"http://{number}.hangs.example/", "file.created")
        hanging = await live.events(1, "file.created")
        assert len(hanging) == HANGING
        await live.until(lambda: sum(names.asked.values()) >= HANGING)
        await live.webhook(f"http://good.example:{mailbox.port}/", "file.updated")
        took = []
        for _ in range(20):
            started = loop.time()
            (number,) = await live.events(1)
            await live.until(lambda number=number: number in mailbox.came, SOON_S)
            took.append(mailbox.came[number] - started)
            assert live.service.readiness() == []
        assert max(took) < SOON_S
        assert not any(map(live.attempts, hanging)), "it was given up already: nothing was hanging"


async def test_ten_thousand_rows_of_a_dead_name_do_not_each_wait_for_it(tmp_path, names):
    """A name that hung is not looked up again for a while: its other deliveries fail at once, for the same reason."""
    quick = ["a.example", "b.example", "c.example"]
    names.names = {"dead.example": "nothing"} | {name: ["127.0.0.1"] for name in quick}
    async with Live(tmp_path / "data", resolver=DnsResolver([names.address])) as live:
        # A server that was quick before is not waited for as long.
        for name in quick:
            await live.service.sender._connector._names.resolve(name)
        await live.webhook("http://dead.example/")
        numbers = [number for _ in range(10) for number in await live.events(1_000)]
        await live.until(lambda: live.attempts(numbers[-1]))
        reasons = {live.attempts(number)[0].reason for number in numbers}
        assert reasons == {"DNS: Timeout while contacting DNS servers"}
        assert names.asked["dead.example"] <= 2 * TRIES


LIES = {
    "inside.example": (["10.0.0.1"], "address 10.0.0.1 is not allowed: it is private"),
    "metadata.example": (["169.254.169.254"], "address 169.254.169.254 is not allowed: it is link-local"),
    "mixed.example": (["127.0.0.1", "192.168.1.1"], "address 192.168.1.1 is not allowed: it is private"),
    "unknown.example": ("NXDOMAIN", "DNS: Domain name not found"),
    "broken.example": ("SERVFAIL", "DNS: DNS server returned general failure"),
    "empty.example": ([], "DNS: DNS server returned answer with no data"),
    "loop.example": (["=loop.example"], "DNS: DNS server returned answer with no data"),
}


async def test_what_is_wrong_with_a_name_is_recorded_in_words(tmp_path, names, mailbox):
    """Answers that lead inside, and none: each webhook's attempt says which it was, and nothing was sent."""
    names.names = {name: said for name, (said, _) in LIES.items()}
    async with Live(tmp_path / "data", resolver=DnsResolver([names.address])) as live:
        for name in LIES:
            await live.webhook(f"http://{name}:{mailbox.port}/")
        numbers = await live.events(1)
        told = {}
        for (name, (_, reason)), number in zip(LIES.items(), numbers, strict=True):
            (attempt,) = await live.until(lambda number=number: live.attempts(number))
            told[name] = attempt.reason if not attempt.reason.startswith(reason) else reason
        assert told == {name: reason for name, (_, reason) in LIES.items()}
        assert mailbox.came == {}
        assert live.service.readiness() == []


async def test_a_name_that_turns_inside_is_refused_from_then_on(tmp_path, names, mailbox):
    """Each look-up is judged by itself: the connection goes to the address that was judged, or there is none."""
    names.names = {"turns.example": ["127.0.0.1"]}
    async with Live(tmp_path / "data", resolver=DnsResolver([names.address])) as live:
        await live.webhook(f"http://turns.example:{mailbox.port}/")
        (first,) = await live.events(1)
        await live.until(lambda: first in mailbox.came)
        names.names = {"turns.example": ["10.0.0.1"]}
        # Names are remembered for a while, and connections kept for longer.
        await live.service.sender.close()
        assert names.asked["turns.example"] == 1
    async with Live(tmp_path / "data", resolver=DnsResolver([names.address])) as live:
        (second,) = await live.events(1)
        (attempt,) = await live.until(lambda: live.attempts(second))
        assert attempt.reason == "address 10.0.0.1 is not allowed: it is private"


async def test_no_name_server_is_no_attempt(tmp_path, mailbox):
    """When this machine cannot ask anybody, deliveries wait, readiness says so, and they go out once it can again."""
    gone = NameServer()
    async with gone:
        pass
    async with Live(tmp_path / "data", resolver=DnsResolver([gone.address])) as live:
        await live.webhook(f"http://good.example:{mailbox.port}/")
        (number,) = await live.events(1)
        why = "deliveries wait: no DNS server can be asked: look at resolv.conf and the network"
        await live.until(lambda: live.service.readiness() == [why])
        assert live.attempts(number) == []
        async with NameServer(gone.port) as back:
            back.names = {"good.example": ["127.0.0.1"]}
            await live.until(lambda: number in mailbox.came)
        await live.until(lambda: live.service.readiness() == [])
        assert [attempt.status for attempt in await live.until(lambda: live.attempts(number))] == [200]
