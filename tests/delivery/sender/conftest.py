"""Both senders, on both event loops: what is said of a sender holds for each of the four."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.util import find_spec
from ipaddress import IPv4Network
from typing import NamedTuple

import pytest
import trustme

from delivery.addresses import AddressGuard
from delivery.lean_sender import LeanSender
from delivery.sender import Answered, Sender
from tests.delivery.sender.plain_sender import PlainSender
from tests.delivery.sender.receivers import Receiver

HEAD = b"Content-Type: application/json\r\nwebhook-id: one\r\n"


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """asyncio's own loop, and uvloop where it exists: they differ in what they say of a connection's end."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if find_spec("uvloop"):
        import uvloop

        loops["uvloop"] = uvloop.new_event_loop
    return loops


class Certificates(NamedTuple):
    """Server contexts, of which only `good` is what the client's `trust` asks for."""

    trust: ssl.SSLContext
    good: ssl.SSLContext
    wrong_host: ssl.SSLContext
    unknown_authority: ssl.SSLContext
    expired: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    known, unknown = trustme.CA(), trustme.CA()
    trust = ssl.create_default_context()
    known.configure_trust(trust)
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    issued = (
        known.issue_cert("127.0.0.1"),
        known.issue_cert("receiver.example"),
        unknown.issue_cert("127.0.0.1"),
        known.issue_cert("127.0.0.1", not_before=past, not_after=past + datetime.timedelta(days=1)),
    )
    servers = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in issued]
    for certificate, server in zip(issued, servers, strict=True):
        certificate.configure_cert(server)
    return Certificates(trust, *servers)


Make = Callable[..., Sender]


@pytest.fixture
def guard() -> AddressGuard:
    return AddressGuard([IPv4Network("127.0.0.0/8")])


@pytest.fixture(params=(LeanSender, PlainSender), ids=("lean", "plain"))
async def make(request: pytest.FixtureRequest, guard: AddressGuard, certificates: Certificates) -> AsyncIterator[Make]:
    """Makes senders, with the time they take for one attempt."""
    made: list[Sender] = []

    def sender(total_s: float = 10.0, connect_s: float = 10.0) -> Sender:
        made.append(request.param(guard, tls=certificates.trust, total_s=total_s, connect_s=connect_s))
        return made[-1]

    yield sender
    for each in made:
        await each.close()


@pytest.fixture
async def sender(make: Make) -> Sender:
    """A sender that is patient enough for a busy machine."""
    return make()


@pytest.fixture
async def lean(guard: AddressGuard) -> AsyncIterator[LeanSender]:
    """The lean sender alone, as it is in service."""
    sender = LeanSender(guard)
    yield sender
    await sender.close()


Sound = Callable[[Sender, Receiver], Awaitable[list[int]]]


@pytest.fixture
def sound() -> Sound:
    """Checks that the next requests get their own answers, over a connection that is kept; says over which."""

    async def check(sender: Sender, receiver: Receiver, ssl: bool = False) -> list[int]:
        target = sender.target(receiver.url, ssl)
        over = []
        for body in (b"next", b"the one after", b"", b"last"):
            outcome = await sender.post(target, HEAD, body)
            assert isinstance(outcome, Answered), outcome
            assert (outcome.status, outcome.body, outcome.truncated) == (200, body, False)
            over.append(int(dict(outcome.headers)["X-Connection"]))
        assert len(set(over[1:])) == 1, "the connection is kept"
        return over

    return check
