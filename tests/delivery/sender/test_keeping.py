"""How the lean sender keeps connections: for whom, how long, how many, and what is left of them."""

from __future__ import annotations

import asyncio
import gc
import socket

from delivery.lean_sender import LeanSender
from delivery.line import Line
from delivery.sender import Answered
from tests.delivery.sender.conftest import HEAD
from tests.delivery.sender.receivers import PATIENCE_S, Peer, Receiver, answer, polite, says


async def test_targets_of_one_origin_share_connections(lean):
    """Two webhooks of one receiver, with different paths, take turns on a connection."""
    async with Receiver() as receiver:
        origin = receiver.url.partition("/hook")[0]
        for path in ("/a", "/b", "/a?c=d"):
            await lean.post(lean.target(origin + path, False), HEAD, b"{}")
        assert len(receiver.peers) == 1


async def test_an_idle_connection_ends_in_time(guard, sound):
    """A connection that nobody used for a while is closed by us."""
    lean = LeanSender(guard, idle_s=0.1)
    async with Receiver() as receiver, asyncio.timeout(PATIENCE_S):
        await lean.post(lean.target(receiver.url, False), HEAD, b"1")
        await receiver.tasks[0]
        assert (lean._lines, lean._idle, len(lean._resting)) == ({}, {}, 0)
        assert await sound(lean, receiver) == [2, 2, 2, 2]
    await lean.close()


async def test_idle_connections_are_bounded(guard):
    """Of more idle connections than are kept the oldest is closed."""
    lean = LeanSender(guard, idle_max=2)
    async with Receiver() as first, Receiver() as second, Receiver() as third:
        for receiver in (first, second, third, second, third):
            await lean.post(lean.target(receiver.url, False), HEAD, b"1")
        await asyncio.wait_for(first.tasks[0], PATIENCE_S)
        assert [len(receiver.peers) for receiver in (first, second, third)] == [1, 1, 1]
        await lean.post(lean.target(first.url, False), HEAD, b"1")
        assert len(first.peers) == 2
    await lean.close()


async def test_closing_cancels_what_is_under_way(guard):
    """A post during close ends as cancelled, whether it waits for an answer or for a connection."""
    lean = LeanSender(guard)
    reached = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        reached.set()
        await peer.gone()

    async with asyncio.timeout(PATIENCE_S), Receiver(script) as receiver:
        post = asyncio.create_task(lean.post(lean.target(receiver.url, False), HEAD, b"{}"))
        await reached.wait()
        await lean.close()
        await asyncio.wait([post])
        assert post.cancelled()
        await receiver.peers[0].gone()


async def test_nothing_is_left_of_connections_that_ended(guard):
    """After many connections, whole and broken, the sender remembers only those that it keeps."""
    lean = LeanSender(guard)
    broken = says(b"HTTP/1.1 200 OK\r\n\r\n", b"x")
    async with Receiver(*[broken, says(b"nonsense\r\n"), polite] * 5) as receiver, Receiver() as other:
        posts = [lean.post(lean.target(receiver.url, False), HEAD, b"x" * 100) for _ in range(15)]
        waiting = [asyncio.create_task(post) for post in posts]
        await asyncio.wait(waiting, timeout=0.2)
        for post in waiting:
            post.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await lean.post(lean.target(other.url, False), HEAD, b"{}")
        gc.collect()
        assert len(lean._lines) == len(lean._resting) == 6
        assert len(lean._under_way) == 0
        assert len(lean._idle) == 2
        assert len(lean._connector._acquired) == 6
    await lean.close()


async def test_a_connection_in_use_is_not_idle(guard):
    """The time that a connection may be idle does not run while it is used."""
    lean = LeanSender(guard, idle_s=0.1)

    async def slow(peer: Peer) -> None:
        await peer.request()
        peer.say(answer(b"1"))
        await peer.request()
        for _ in range(50):
            await peer.pause()
        peer.say(answer(b"2"))
        await peer.gone()

    async with Receiver(slow) as receiver:
        target = lean.target(receiver.url, False)
        assert isinstance(await lean.post(target, HEAD, b"{}"), Answered)
        outcome = await lean.post(target, HEAD, b"{}")
        assert isinstance(outcome, Answered)
        assert outcome.body == b"2"
        assert len(receiver.peers) == 1
    await lean.close()


class Watched(Line):
    """A line that says when bytes have come."""

    def watch(self) -> asyncio.Event:
        self.came = asyncio.Event()
        return self.came

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.came.set()


async def test_an_answer_that_waits_for_its_request_does_not_stop_it():
    """When a fresh connection brings an answer before it is asked, the request leaves nevertheless."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(answer(b"canned", b"Connection: close\r\n"))
        line = Watched(loop, lambda line: None, lambda line: None)
        came = line.watch()
        await loop.create_connection(lambda: line, sock=ours)
        await asyncio.wait_for(came.wait(), PATIENCE_S)
        outcome = await asyncio.wait_for(line.ask(b"request"), PATIENCE_S)
        assert isinstance(outcome, Answered)
        assert outcome.body == b"canned"
        theirs.settimeout(PATIENCE_S)
        assert theirs.recv(99) == b"request"
        assert theirs.recv(99) == b""
