"""Receivers that want to harm: whatever they do, a post ends in time, with a value, and the next one is sound."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import pytest

from core.limits import ANSWER_BYTES_MAX
from delivery.lean_sender import LeanSender
from delivery.sender import Answered, Unreached
from tests.delivery.sender.conftest import HEAD
from tests.delivery.sender.receivers import PATIENCE_S, Peer, Receiver, Script, answer, polite, says

TOTAL_S = 0.8
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def floods(peer: Peer, *, before: bytes, endless: bytes) -> None:
    await peer.request()
    peer.say(before)
    await peer.pause()
    await peer.flood(endless)


async def outcomes_of(scripts: dict[str, Script], sender, sound) -> dict[str, Answered | Unreached]:
    """What comes of posts at once to a receiver of each script; and that the next ones to all of them are sound."""
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        receivers = [await stack.enter_async_context(Receiver(script)) for script in scripts.values()]
        targets = [sender.target(receiver.url, False) for receiver in receivers]
        outcomes = await asyncio.gather(*[sender.post(target, HEAD, b"{}") for target in targets])
        for receiver in receivers:
            await sound(sender, receiver)
    return dict(zip(scripts, outcomes, strict=True))


ENDLESS = {
    "interim answers": (b"", b"HTTP/1.1 102 Processing\r\n\r\n", Unreached),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n", Unreached),
    "interim answer": (b"", b"HTTP/1.1 103 Early Hints\r\nX-A: b\r\nX-C: d\r\n", Unreached),
    "empty lines": (b"", b"\r\n", Unreached),
    "first line": (b"HTTP/1.1 200 ", b"O" * 4_096, Unreached),
    "header": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 4_096, Unreached),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-Many: x\r\n" * 400, Unreached),
    "chunk extension": (CHUNKS + b"3;x=", b"y" * 4_096, Answered),
    "chunk size": (CHUNKS, b"0" * 4_096, Answered),
    "tiny chunks": (CHUNKS, b"1\r\nx\r\n" * 700, Answered),
    "trailers": (CHUNKS + b"1\r\nx\r\n0\r\n", b"X-Trailer: x\r\n" * 400, Answered),
}


async def test_nothing_goes_on_for_ever(make, sound):
    """Whatever part of an answer has no end, the post has one: with its head there is an answer, else there is none."""
    scripts = {name: partial(floods, before=before, endless=endless) for name, (before, endless, _) in ENDLESS.items()}
    outcomes = await outcomes_of(scripts, make(total_s=TOTAL_S), sound)
    assert {name: type(outcome) for name, outcome in outcomes.items()} == {
        name: expected for name, (_, _, expected) in ENDLESS.items()
    }
    answers = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, Answered)}
    assert all(one.truncated and len(one.body) <= ANSWER_BYTES_MAX for one in answers.values())


WRONG = {
    "huge chunk size": CHUNKS + b"FFFFFFFFFFFFFFFFF\r\nabc",
    "negative chunk size": CHUNKS + b"-1\r\nabc",
    "chunk size with a plus": CHUNKS + b"+3\r\nabc\r\n0\r\n\r\n",
    "chunk size in another base": CHUNKS + b"0x3\r\nabc\r\n0\r\n\r\n",
    "huge length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc",
    "length with a plus": b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
    "two lengths in one": b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
    "unknown encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xyz\r\n\r\nabc",
    "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunked is not last": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc",
    "folded header": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 3\r\n\r\nabc",
    "header without a colon": b"HTTP/1.1 200 OK\r\nX-A b\r\nContent-Length: 3\r\n\r\nabc",
    "space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc",
    "status of two digits": b"HTTP/1.1 99 What\r\nContent-Length: 3\r\n\r\nabc",
    "status of four digits": b"HTTP/1.1 2000 What\r\nContent-Length: 3\r\n\r\nabc",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc",
    "reason of any bytes": b"HTTP/1.1 200 \xff\xfe\x01\r\nContent-Length: 3\r\n\r\nabc",
    "another HTTP": b"HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "frames of HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
    "upgrade nobody asked for": b"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc",
    "no content with a length": b"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n",
    "two answers": answer(b"abc", b"Connection: close\r\n") + answer(b"def"),
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "bare carriage returns": b"HTTP/1.1 200 OK\rContent-Length: 3\r\rabc",
}


async def test_whatever_is_said_ends_in_a_value(make, sound):
    """Answers that are wrong in any way end the post in time, as an answer of that status or as none, and leave nothing
    to the next one. Bytes of a body that are there are its own."""
    scripts = {name: says(said, then=polite) for name, said in WRONG.items()}
    for name, outcome in (await outcomes_of(scripts, make(total_s=TOTAL_S), sound)).items():
        if isinstance(outcome, Answered):
            assert outcome.status in (200, 204), name
            assert b"3\r\nabc\r\n0\r\n\r\n".find(outcome.body) >= 0, (name, outcome.body)
        else:
            assert outcome.reason, name


async def test_a_receiver_that_reads_nothing_is_left_in_time(make, sound):
    """A large request that nobody reads does not keep the sender longer than any other."""
    sender = make(total_s=TOTAL_S)
    loop = asyncio.get_running_loop()

    async def deaf(peer: Peer) -> None:
        peer.stop_reading()
        await peer.pause_until_over()

    async with Receiver(deaf) as receiver, asyncio.timeout(10):
        started = loop.time()
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"x" * 30_000_000)
        assert isinstance(outcome, Unreached)
        assert loop.time() - started < 2 * TOTAL_S
        await sound(sender, receiver)


CLIENT_HELLO_LEAST = 64


async def hello(peer: Peer) -> None:
    """Wait for the first words of a TLS handshake."""
    await peer.bytes(CLIENT_HELLO_LEAST)


async def breaks_off(peer: Peer, *, how: str) -> None:
    await hello(peer)
    peer.say(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03")
    await peer.pause()
    peer.hang_up() if how == "hang up" else peer.reset()


async def alerts(peer: Peer) -> None:
    await hello(peer)
    peer.say(b"\x15\x03\x03\x00\x02\x02\x28")
    await peer.gone()


async def chatters(peer: Peer) -> None:
    await hello(peer)
    await peer.flood(b"\x16\x03\x03\x40\x00" + b"\0" * 16_384)


async def drips(peer: Peer) -> None:
    await hello(peer)
    await peer.dribble(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb" + b"\x03" * 16_000)


HANDSHAKES: dict[str, Script] = {
    "hangs": Peer.gone,
    "breaks off": partial(breaks_off, how="hang up"),
    "is reset": partial(breaks_off, how="reset"),
    "alerts": alerts,
    "never ends": chatters,
    "drips": drips,
}


async def test_no_handshake_takes_longer_than_it_may(make):
    """A TLS handshake that hangs, breaks off, drips or never ends is no answer, within the time for connecting."""
    sender = make(total_s=10.0, connect_s=TOTAL_S)
    loop = asyncio.get_running_loop()

    async def post(script: Script) -> tuple[Answered | Unreached, float]:
        async with Receiver(script) as receiver:
            started = loop.time()
            target = sender.target(receiver.url.replace("http", "https"), True)
            return await sender.post(target, HEAD, b"{}"), loop.time() - started

    ends = dict(zip(HANDSHAKES, await asyncio.gather(*map(post, HANDSHAKES.values())), strict=True))
    assert {name: type(outcome) for name, (outcome, _) in ends.items()} == dict.fromkeys(HANDSHAKES, Unreached)
    assert all(took < 3 * TOTAL_S for _, took in ends.values())
    assert all(outcome.reason.startswith(("TLS: ", "cannot connect")) for outcome, _ in ends.values())


@pytest.mark.parametrize("end", ["hang up", "reset"])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"", Unreached),
        (b"HTTP/1.1 200 O", Unreached),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Answered),
        (CHUNKS + b"4\r\nhalf\r\n", Answered),
    ],
)
async def test_what_breaks_off_inside_of_tls_is_the_same_as_outside(sender, sound, certificates, said, expected, end):
    """An encrypted connection that ends without a word of farewell is one that breaks off."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.say(said)
        await peer.pause()
        peer.hang_up() if end == "hang up" else peer.reset()

    async with Receiver(script, tls=certificates.good) as receiver:
        outcome = await sender.post(sender.target(receiver.url, True), HEAD, b"{}")
        assert isinstance(outcome, expected)
        if isinstance(outcome, Answered):
            assert (outcome.status, outcome.body, outcome.truncated) == (200, b"half", True)
        await sound(sender, receiver, ssl=True)


async def test_all_kinds_at_once_and_a_polite_one_among_them(guard):
    """A hundred hostile posts at once do not keep one receiver that is polite from its own, which are answered soon."""
    sender = LeanSender(guard)
    loop = asyncio.get_running_loop()
    scripts = [partial(floods, before=before, endless=endless) for before, endless, _ in ENDLESS.values()]
    scripts += [says(said, then=polite) for said in WRONG.values()]

    async def hostile(script: Script) -> None:
        async with Receiver(script, script, script) as receiver:
            target = sender.target(receiver.url, False)
            await asyncio.gather(*[sender.post(target, HEAD, b"{}") for _ in range(3)])

    async with Receiver(polite) as receiver:
        others = asyncio.gather(*map(hostile, scripts))
        target = sender.target(receiver.url, False)
        took = []
        for number in range(50):
            started = loop.time()
            outcome = await sender.post(target, HEAD, b"%d" % number)
            took.append(loop.time() - started)
            assert isinstance(outcome, Answered)
            assert outcome.body == b"%d" % number
        others.cancel()
        await asyncio.gather(others, return_exceptions=True)
        await sender.close()
    assert sorted(took)[25] < PATIENCE_S
