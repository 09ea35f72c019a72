"""What a sender makes of receivers that break off, break the rules, or never end: a value, and a sound pool."""

from __future__ import annotations

import asyncio
from functools import partial

import msgspec
import pytest

from core.limits import ANSWER_BYTES_MAX
from delivery.sender import Answered, Unreached
from tests.delivery.sender.conftest import HEAD
from tests.delivery.sender.receivers import PATIENCE_S, Peer, Receiver, Script, answer, polite, says

TOTAL_S = 0.7
OK_10 = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
NO_10 = b"HTTP/1.1 503 No\r\nContent-Length: 10\r\n\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_END = b"HTTP/1.1 200 OK\r\n\r\n"


async def hang_up(peer: Peer) -> None:
    peer.hang_up()


async def reset(peer: Peer) -> None:
    peer.reset()


async def post_to(script: Script, sender, sound) -> Answered | Unreached:
    """One post to a receiver of this script, which then is polite, and must find the sender sound."""
    async with Receiver(script) as receiver:
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
        assert await sound(sender, receiver) == [2, 2, 2, 2]
        return outcome


@pytest.mark.parametrize("end", [hang_up, reset])
async def test_closing_without_a_word_is_no_answer(sender, sound, end):
    """A fresh connection that is closed before any byte of an answer is not tried again."""
    async with Receiver(says(then=end)) as receiver:
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
        assert isinstance(outcome, Unreached)
        assert len(receiver.peers) == 1
        assert await sound(sender, receiver) == [2, 2, 2, 2]


@pytest.mark.parametrize("end", [hang_up, reset])
async def test_closing_at_once_is_no_answer(sender, sound, end):
    """Nor is one that is closed as soon as it is accepted."""
    assert isinstance(await post_to(end, sender, sound), Unreached)


@pytest.mark.parametrize("end", [hang_up, reset])
@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\n", OK_10[:-2], b"HTTP/1.1 100 Continue\r\n\r\n"]
)
async def test_half_a_head_is_no_answer(sender, sound, head, end):
    """Before its headers have ended an answer has not begun, whatever its first line says."""
    assert isinstance(await post_to(says(head, b"", then=end), sender, sound), Unreached)


@pytest.mark.parametrize("end", [hang_up, reset])
@pytest.mark.parametrize("head", [OK_10, NO_10])
@pytest.mark.parametrize("body", [b"", b"short"])
async def test_the_status_counts_when_the_body_breaks_off(sender, sound, head, body, end):
    """After the headers, what is missing of the body is missing, and the status is what was answered."""
    outcome = await post_to(says(head, body, b"", then=end), sender, sound)
    headers = (("Content-Length", "10"),)
    assert outcome == Answered(int(head[9:12]), headers, body, True)


@pytest.mark.parametrize("rest", [b"", b"5\r\nab", b"5\r\nabcde\r\n", b"5\r\nabcde\r\n0\r\n"])
async def test_chunks_that_break_off_are_truncated(sender, sound, rest):
    """A chunked body is whole only with its last chunk."""
    outcome = await post_to(says(CHUNKS, rest, then=hang_up), sender, sound)
    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.body, outcome.truncated) == (200, rest[3:8], True)


async def test_the_status_counts_when_the_chunks_are_wrong(make, sound):
    """Bytes where a chunk should begin end the body and the connection, not the answer."""
    sender = make(total_s=TOTAL_S)  # aiohttp's session only sees that no more comes
    wrong = (b"ZZ\r\nabc\r\n", b"-5\r\n", b"3\r\nabcdefgh\r\n", b"3\r\nabc\r\nhello")
    async with asyncio.TaskGroup() as group:
        posts = [group.create_task(post_to(says(CHUNKS, rest), sender, sound)) for rest in wrong]
    for post in posts:
        outcome = post.result()
        assert isinstance(outcome, Answered)
        assert (outcome.status, outcome.truncated) == (200, True)
        assert b"abc".startswith(outcome.body)


@pytest.mark.parametrize(
    "text",
    [
        b"hello\r\n",
        b"<html>HTTP/0.9 had no headers</html>",
        b"SSH-2.0-OpenSSH_9.7\r\n",
        b"220 mail.example ESMTP\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/7.1.1 200 OK\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: you\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_no_answer(sender, sound, text):
    """Whatever else a port may say is not taken for an answer."""
    assert isinstance(await post_to(says(text, b"", then=hang_up), sender, sound), Unreached)


@pytest.mark.parametrize(
    "lines",
    [
        b"X-Flood: 1\r\n" * 200,
        b"X-Long: " + b"x" * 9_000 + b"\r\n",
        b"X-Long" + b"x" * 9_000 + b": 1\r\n",
        b"X-Null: a\0b\r\n",
        b"Content-Length: many\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Sec-WebSocket-Key1: x\r\n",
    ],
)
async def test_broken_headers_are_no_answer(sender, sound, lines):
    """Headers beyond all bounds, or that make no sense, are not read around."""
    said = b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n"
    assert isinstance(await post_to(says(said, b"", then=hang_up), sender, sound), Unreached)


@pytest.mark.parametrize(
    ("head", "endless"),
    [
        (UNTIL_END, b"x" * 4_096),
        (CHUNKS, b"1000\r\n" + b"x" * 4_096 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 4_096),
    ],
    ids=("until the end", "chunks", "length"),
)
async def test_an_endless_body_is_cut(sender, sound, head, endless):
    """Of a body without end the beginning is kept; the connection is closed on the receiver."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.say(head)
        await peer.flood(endless)

    outcome = await post_to(script, sender, sound)
    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.body, outcome.truncated) == (200, b"x" * ANSWER_BYTES_MAX, True)


async def hangs(peer: Peer, *, before: bytes) -> None:
    await peer.request()
    peer.say(before)
    await peer.gone()


async def dribbles(peer: Peer, *, before: bytes, drops: bytes) -> None:
    await peer.request()
    peer.say(before)
    await peer.dribble(drops)


async def hangs_the_second_time(peer: Peer) -> None:
    await peer.request()
    peer.say(answer(b""))
    await hangs(peer, before=b"HTTP/1.1")


async def test_no_receiver_takes_longer_than_it_may(make, sound):
    """A receiver that hangs or dribbles, before, in or after its headers, over a fresh connection or a kept one, is
    left after the time for one attempt."""
    sender = make(total_s=TOTAL_S)
    late = Unreached("the target did not answer within 0.7 seconds")
    cases: list[tuple[Script, Answered | Unreached]] = [
        (partial(hangs, before=b""), late),
        (partial(hangs, before=OK_10[:-9]), late),
        (partial(hangs, before=b"HTTP/1.1 100 Continue\r\n\r\n"), late),
        (partial(hangs, before=OK_10), Answered(200, (("Content-Length", "10"),), b"", True)),
        (partial(hangs, before=NO_10 + b"some"), Answered(503, (("Content-Length", "10"),), b"some", True)),
        (partial(hangs, before=UNTIL_END + b"some"), Answered(200, (), b"some", True)),
        (partial(dribbles, before=b"", drops=b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 999), late),
        (partial(dribbles, before=CHUNKS[:-4], drops=b"\r\nX-Drop: 1" * 99), late),
        (partial(dribbles, before=UNTIL_END + b"some", drops=b"x" * 999), Answered(200, (), b"some", True)),
        (hangs_the_second_time, late),
    ]
    async with asyncio.TaskGroup() as group:
        took = [group.create_task(timed(sender, script, outcome, sound)) for script, outcome in cases]
    assert min(task.result() for task in took) >= TOTAL_S * 0.95
    assert max(task.result() for task in took) <= TOTAL_S * 2


async def timed(sender, script: Script, expected: Answered | Unreached, sound) -> float:
    """How long a post takes that ends as expected, but for what a dribble adds to it."""
    loop = asyncio.get_running_loop()
    async with Receiver(script) as receiver:
        target = sender.target(receiver.url, False)
        if script is hangs_the_second_time:
            await sender.post(target, HEAD, b"{}")
        started = loop.time()
        outcome = await sender.post(target, HEAD, b"{}")
        took = loop.time() - started
        if isinstance(outcome, Answered):
            outcome = msgspec.structs.replace(outcome, body=outcome.body.rstrip(b"x"))
        assert outcome == expected
        assert await sound(sender, receiver) == [2, 2, 2, 2]
        return took


async def test_a_body_beyond_its_limit_is_not_waited_for(sender, sound):
    """When more of a body has come than is kept, the rest is not waited for."""
    before = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * (ANSWER_BYTES_MAX + 1)
    async with asyncio.timeout(PATIENCE_S):
        outcome = await post_to(partial(hangs, before=before), sender, sound)
    assert isinstance(outcome, Answered)
    assert (outcome.body, outcome.truncated) == (b"x" * ANSWER_BYTES_MAX, True)


async def test_a_refused_connection_is_no_answer(sender):
    """Nobody listens: said in words."""
    async with Receiver() as receiver:
        target = sender.target(receiver.url, False)
    assert await sender.post(target, HEAD, b"{}") == Unreached("cannot connect: connection refused")


async def test_a_name_without_address_is_no_answer(sender):
    """A name that nobody knows: said in words, and nothing raised."""
    outcome = await sender.post(sender.target("http://receiver.invalid/", False), HEAD, b"{}")
    assert isinstance(outcome, Unreached)
    assert outcome.reason.startswith("DNS: ")


async def test_a_later_answer_after_a_fault_is_the_right_one(sender, sound):
    """Many posts at once, half of them to a receiver that breaks off, all get their own outcome."""
    scripts = [says(answer(b"first"), then=polite), *[says(OK_10, b"bro", then=hang_up)] * 20]
    async with Receiver(*scripts) as broken, Receiver() as whole:
        posts = [
            sender.post(sender.target((broken if number % 2 else whole).url, False), HEAD, b"%d" % number)
            for number in range(40)
        ]
        outcomes = await asyncio.gather(*posts)
        assert all(isinstance(outcome, Answered) for outcome in outcomes)
        assert [outcome.body for outcome in outcomes[::2]] == [b"%d" % number for number in range(0, 40, 2)]
        assert [outcome.truncated for outcome in outcomes[1::2]].count(True) == 19
