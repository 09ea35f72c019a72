"""What the lean sender does and aiohttp's own session does not: nothing is lost, nothing is mixed up."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core.errors import OverloadedError
from delivery.sender import Answered, Unreached
from tests.delivery.sender.conftest import HEAD
from tests.delivery.sender.receivers import PATIENCE_S, Peer, Receiver, answer, says

CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "body", "truncated"),
    [
        (CHUNKS + b"ZZ\r\n", b"", True),
        (CHUNKS + b"3\r\nabc\r\nhello", b"abc", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKS + b"3\r\nabc\r\nhello", b"abc", True),
        (answer(b"abc") + b"garbage", b"abc", False),
        (answer(b"abc") + answer(b"a second answer"), b"abc", False),
        (b"HTTP/1.1 204 No Content\r\n\r\ngarbage", b"", False),
        (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabcgarbage", b"abc", False),
    ],
)
async def test_the_status_counts_whatever_came_in_the_same_packet(lean, sound, said, body, truncated):
    """An answer is not lost to what is wrong behind its headers, and its connection is not used again."""
    async with Receiver(says(said)) as receiver:
        outcome = await lean.post(lean.target(receiver.url, False), HEAD, b"{}")
        assert isinstance(outcome, Answered)
        assert (outcome.body, outcome.truncated) == (body, truncated)
        await receiver.peers[0].gone()
        assert await sound(lean, receiver) == [2, 2, 2, 2]


async def test_the_status_counts_when_its_head_came_in_pieces(lean, sound):
    """Nor when the packet with the fault holds only the end of the headers."""
    async with Receiver(says(CHUNKS[:20], CHUNKS[20:] + b"3\r\nabc\r\nhello")) as receiver:
        outcome = await lean.post(lean.target(receiver.url, False), HEAD, b"{}")
        assert outcome == Answered(200, (("Transfer-Encoding", "chunked"),), b"abc", True)
        assert await sound(lean, receiver) == [2, 2, 2, 2]


async def test_bytes_that_nobody_asked_for_end_a_kept_connection(lean, sound):
    """A receiver that goes on after its answer cannot have that taken for the next answer."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.say(answer(b"asked for"))
        await peer.pause()
        peer.say(answer(b"not asked for", b"X-Connection: 0\r\n"))
        await peer.gone()

    async with Receiver(script) as receiver:
        outcome = await lean.post(lean.target(receiver.url, False), HEAD, b"{}")
        assert isinstance(outcome, Answered)
        assert outcome.body == b"asked for"
        await receiver.peers[0].gone()
        assert await sound(lean, receiver) == [2, 2, 2, 2]


async def test_the_request_is_sent_also_when_the_answer_is_there_before(lean, sound):
    """A canned answer, sent as soon as somebody connects, is an answer to a request that was made."""
    heard = asyncio.get_running_loop().create_future()

    async def canned(peer: Peer) -> None:
        peer.say(answer(b"whatever", b"Connection: close\r\n"))
        heard.set_result(await peer.request())
        await peer.gone()

    async with Receiver(canned) as receiver:
        outcome = await lean.post(lean.target(receiver.url, False), HEAD, b"{}")
        assert isinstance(outcome, Answered)
        assert (outcome.status, outcome.body) == (200, b"whatever")
        _, body = await asyncio.wait_for(heard, PATIENCE_S)
        assert body == b"{}"
        assert await sound(lean, receiver) == [2, 2, 2, 2]


async def test_a_body_until_the_end_may_not_be_reset(lean, sound):
    """Without a length, only a clean end of the connection makes a body whole."""

    async def reset(peer: Peer) -> None:
        peer.reset()

    async with Receiver(says(b"HTTP/1.1 200 OK\r\n\r\n", b"some", b"", then=reset)) as receiver:
        outcome = await lean.post(lean.target(receiver.url, False), HEAD, b"{}")
        assert outcome == Answered(200, (), b"some", True)
        assert await sound(lean, receiver) == [2, 2, 2, 2]


async def test_101_without_upgrade_ends_the_connection(lean, sound):
    """101 is the last answer of its connection, even one that switches to nothing."""
    async with Receiver(says(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")) as receiver:
        assert await lean.post(lean.target(receiver.url, False), HEAD, b"{}") == Answered(101, (), b"", False)
        await receiver.peers[0].gone()
        assert await sound(lean, receiver) == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("head", "endless", "outcome"),
    [
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n", Unreached),
        (CHUNKS + b"3;x=", b"y" * 1_000, Answered),
        (CHUNKS, b"1\r\nx\r\n" * 100, Answered),
    ],
    ids=("interim", "extension", "tiny chunks"),
)
async def test_what_is_read_of_an_answer_is_bounded(lean, sound, head, endless, outcome):
    """Bytes that are neither headers nor body do not go on for ever either."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.say(head)
        await peer.flood(endless)

    async with Receiver(script) as receiver, asyncio.timeout(PATIENCE_S):
        assert isinstance(await lean.post(lean.target(receiver.url, False), HEAD, b"{}"), outcome)
        assert await sound(lean, receiver) == [2, 2, 2, 2]


async def test_a_half_closed_connection_is_not_waited_for(lean, sound):
    """A receiver that says it will say no more, and reads no more, does not keep us until the attempt's time is up."""

    async def script(peer: Peer) -> None:
        await peer.head()
        peer.say_no_more()
        await peer.pause_until_over()

    async with Receiver(script) as receiver, asyncio.timeout(PATIENCE_S):
        outcome = await lean.post(lean.target(receiver.url, False), HEAD, b"x" * 30_000_000)
        assert outcome == Unreached("the target closed the connection without an answer")
        assert await sound(lean, receiver) == [2, 2, 2, 2]


@contextmanager
def no_more_files() -> Iterator[None]:
    """While this holds, the process can open no other file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_running_out_of_files_is_not_the_receivers_fault(lean, sound):
    """When this machine cannot open another connection, nothing is said of the target."""
    async with Receiver() as receiver:
        target = lean.target(receiver.url, False)
        with no_more_files(), pytest.raises(OverloadedError, match="open files"):
            await lean.post(target, HEAD, b"{}")
        assert await sound(lean, receiver) == [1, 1, 1, 1]
