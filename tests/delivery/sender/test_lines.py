"""What becomes of connections: kept, found stale, given up in the middle."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise

import pytest

from delivery.sender import Answered, Unreached
from tests.delivery.sender.conftest import HEAD
from tests.delivery.sender.receivers import PATIENCE_S, Peer, Receiver, answer, polite

OK_10 = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


async def once(peer: Peer, *, end: str) -> None:
    """Answer one request, and end the connection when the next one comes."""
    await peer.request()
    peer.say(answer(b"", b"X-Connection: %d\r\n" % peer.number))
    await peer.request()
    peer.hang_up() if end == "hang up" else peer.reset()


@pytest.mark.parametrize("end", ["hang up", "reset"])
async def test_a_stale_connection_is_replaced_unseen(sender, sound, end):
    """A kept connection that turns out to be closed costs no attempt: the request goes over a fresh one."""
    async with Receiver(partial(once, end=end)) as receiver:
        target = sender.target(receiver.url, False)
        first = await sender.post(target, HEAD, b"1")
        second = await sender.post(target, HEAD, b"2")
        assert isinstance(first, Answered)
        assert isinstance(second, Answered)
        assert (second.status, second.body, dict(second.headers)["X-Connection"]) == (200, b"2", "2")
        assert len(set(await sound(sender, receiver)) - {2}) <= 1


@pytest.mark.parametrize("end", ["hang up", "reset"])
async def test_a_receiver_that_always_closes_is_tried_twice_and_no_more(sender, sound, end):
    """When the fresh connection is closed as well, that is what became of the request."""

    async def closing(peer: Peer) -> None:
        await peer.request()
        peer.hang_up() if end == "hang up" else peer.reset()

    async with Receiver(partial(once, end=end), closing) as receiver:
        target = sender.target(receiver.url, False)
        assert isinstance(await sender.post(target, HEAD, b"1"), Answered)
        assert isinstance(await sender.post(target, HEAD, b"2"), Unreached)
        assert len(receiver.peers) == 2
        await sound(sender, receiver)


async def test_a_kept_connection_that_breaks_off_is_not_stale(sender, sound):
    """As soon as a byte of the answer has come, the request has been heard, and is not sent again."""

    async def half(peer: Peer) -> None:
        await peer.request()
        peer.say(answer(b""))
        await peer.request()
        peer.say(b"HTTP/1.1 2")
        await peer.pause()
        peer.hang_up()

    async with Receiver(half) as receiver:
        target = sender.target(receiver.url, False)
        await sender.post(target, HEAD, b"1")
        assert isinstance(await sender.post(target, HEAD, b"2"), Unreached)
        assert len(receiver.peers) == 1
        assert await sound(sender, receiver) == [2, 2, 2, 2]


async def test_answers_in_pieces_leave_nothing_to_the_next(sender, sound):
    """However the answers on a connection are cut up, each request gets its own, and no limit counts them together."""
    cuts = [(20,), (40,), (70, 700), (5, 20, 60), (30_000, 59_000), (), (39, 41), *[(59_990,)] * 9]

    async def script(peer: Peer) -> None:
        for cut in cuts:
            _, body = await peer.request()
            said = answer(body)
            for start, end in pairwise((0, *cut, len(said))):
                peer.say(said[start:end])
                await peer.pause()
        await polite(peer)

    async with Receiver(script) as receiver:
        target = sender.target(receiver.url, False)
        for number in range(len(cuts)):
            body = b"%02d" % number * 30_000
            assert await sender.post(target, HEAD, body) == Answered(200, (("Content-Length", "60000"),), body, False)
        assert await sound(sender, receiver) == [1, 1, 1, 1]


async def test_a_connection_closed_while_idle_is_not_used(sender, sound):
    """What the receiver closed between two requests is gone for the sender."""

    async def closing(peer: Peer) -> None:
        await peer.request()
        peer.say(answer(b"one"))
        await peer.pause()
        peer.hang_up()

    async with Receiver(closing) as receiver:
        await sender.post(sender.target(receiver.url, False), HEAD, b"1")
        await receiver.peers[0].gone()
        assert await sound(sender, receiver) == [2, 2, 2, 2]


STAGES = {
    "before the headers": b"",
    "after an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "in the headers": OK_10[:-5],
    "after the headers": OK_10,
    "in the body": OK_10 + b"half",
}


@pytest.mark.parametrize("said", STAGES.values(), ids=STAGES)
async def test_cancelling_ends_the_connection(sender, sound, said):
    """Whoever gives up a post gets CancelledError, and the receiver a closed connection."""
    reached = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.say(said)
        await peer.pause()
        reached.set()
        await peer.gone()

    async with Receiver(script) as receiver, asyncio.timeout(PATIENCE_S):
        post = asyncio.create_task(sender.post(sender.target(receiver.url, False), HEAD, b"{}"))
        await reached.wait()
        post.cancel()
        with pytest.raises(asyncio.CancelledError):
            await post
        await receiver.peers[0].gone()
        assert await sound(sender, receiver) == [2, 2, 2, 2]


async def test_cancelling_a_kept_connection_ends_it(sender, sound):
    """Nor is a connection kept whose second answer nobody waits for."""
    reached = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.say(answer(b""))
        await peer.request()
        reached.set()
        await peer.gone()

    async with Receiver(script) as receiver, asyncio.timeout(PATIENCE_S):
        target = sender.target(receiver.url, False)
        await sender.post(target, HEAD, b"1")
        post = asyncio.create_task(sender.post(target, HEAD, b"2"))
        await reached.wait()
        post.cancel()
        with pytest.raises(asyncio.CancelledError):
            await post
        await receiver.peers[0].gone()
        assert await sound(sender, receiver) == [2, 2, 2, 2]


async def test_cancelling_while_connecting(sender, certificates, sound):
    """A handshake that hangs can be given up as well."""
    reached = asyncio.Event()

    async def silent(peer: Peer) -> None:
        reached.set()
        await peer.gone()

    async with Receiver(silent) as receiver, asyncio.timeout(PATIENCE_S):
        target = sender.target(receiver.url.replace("http", "https"), True)
        post = asyncio.create_task(sender.post(target, HEAD, b"{}"))
        await reached.wait()
        post.cancel()
        with pytest.raises(asyncio.CancelledError):
            await post
        await receiver.peers[0].gone()
        assert await sound(sender, receiver) == [2, 2, 2, 2]


async def test_connecting_has_its_own_time(make):
    """A handshake that hangs ends after the time for connecting, long before that for the whole attempt."""
    sender = make(total_s=30.0, connect_s=0.5)
    loop = asyncio.get_running_loop()
    async with Receiver(Peer.gone) as receiver:
        target = sender.target(receiver.url.replace("http", "https"), True)
        started = loop.time()
        assert await sender.post(target, HEAD, b"{}") == Unreached("cannot connect within 0.5 seconds")
        assert 0.47 <= loop.time() - started <= 1.0
        await receiver.peers[0].gone()


async def test_requests_at_once_use_a_connection_each(sender):
    """Many requests at once get their own answers, however the connections are shared between rounds."""
    async with Receiver() as receiver:
        target = sender.target(receiver.url, False)
        for _ in range(3):
            bodies = [b"%d" % number for number in range(30)]
            outcomes = await asyncio.gather(*(sender.post(target, HEAD, body) for body in bodies))
            assert [outcome.body for outcome in outcomes] == bodies
        assert len(receiver.peers) == 30
