"""What a sender makes of answers that are answers, whatever they say."""

from __future__ import annotations

import gzip

import pytest

from core.limits import ANSWER_BYTES_MAX, ANSWER_HEADER_CHARS_MAX, ANSWER_HEADERS_MAX
from delivery.sender import Answered, request_bytes
from tests.delivery.sender.conftest import HEAD
from tests.delivery.sender.receivers import Peer, Receiver, answer, polite, says


async def test_a_receiver_gets_the_request_as_it_was_rendered(sender, sound):
    """Request line, Host, our headers and Content-Length arrive, once each, and nothing that the library adds."""
    requests = []

    async def listening(peer: Peer) -> None:
        requests.append(await peer.request())
        peer.say(answer(b"thanks", b"X-Connection: 1\r\n"))

    async with Receiver(listening) as receiver:
        target = sender.target(receiver.url, False)
        body = "{“é”: 1}".encode()
        outcome = await sender.post(target, HEAD, body)
        assert outcome == Answered(200, (("Content-Length", "6"), ("X-Connection", "1")), b"thanks", False)
        head, received = requests[0]
        host = receiver.url.split("/")[2].encode()
        lines = [b"POST /hook?a=1 HTTP/1.1", b"Host: " + host, *HEAD.split(b"\r\n")[:-1], b"Content-Length: 13", b""]
        assert sorted(head.split(b"\r\n")[:-1]) == sorted(lines)
        assert received == body


async def test_connections_are_kept(sender, sound):
    """Requests one after the other share a connection, and each gets its own answer."""
    async with Receiver() as receiver:
        assert await sound(sender, receiver) == [1, 1, 1, 1]


async def test_every_status_is_an_answer(sender, sound):
    """Whatever the status, the sender hands it back with headers and body, and keeps the connection."""
    statuses = (200, 201, 202, 299, 300, 304, 400, 404, 410, 429, 499, 500, 503, 599)

    async def script(peer: Peer) -> None:
        for status in statuses:
            await peer.request()
            body = b"" if status == 304 else b"because"
            peer.say(answer(body, b"Retry-After: 7\r\n", b"%d Some Reason" % status))
        await polite(peer)

    async with Receiver(script) as receiver:
        target = sender.target(receiver.url, False)
        for status in statuses:
            body = b"" if status == 304 else b"because"
            headers = (("Content-Length", str(len(body))), ("Retry-After", "7"))
            assert await sender.post(target, HEAD, b"{}") == Answered(status, headers, body, False)
        assert await sound(sender, receiver) == [1, 1, 1, 1]


async def test_204_has_no_body_and_keeps_the_connection(sender, sound):
    """An answer without body or length is whole."""
    async with Receiver(says(b"HTTP/1.1 204 No Content\r\n\r\n", then=polite)) as receiver:
        assert await sender.post(sender.target(receiver.url, False), HEAD, b"{}") == Answered(204, (), b"", False)
        assert await sound(sender, receiver) == [1, 1, 1, 1]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(sender, sound, status):
    """A redirect is an answer like any other; nobody connects to where it leads."""
    async with Receiver() as elsewhere:
        said = answer(b"", b"Location: %b\r\n" % elsewhere.url.encode(), b"%d Moved" % status)
        async with Receiver(says(said, then=polite)) as receiver:
            outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
            assert isinstance(outcome, Answered)
            assert (outcome.status, dict(outcome.headers)["Location"]) == (status, elsewhere.url)
            assert await sound(sender, receiver) == [1, 1, 1, 1]
        assert elsewhere.peers == []


@pytest.mark.parametrize("apart", [True, False], ids=("apart", "at once"))
async def test_interim_answers_are_passed_over(sender, sound, apart):
    """100 and 103 come before the answer, in one packet with it or before it."""
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    )
    parts = (*interim, answer(b"at last"))
    async with Receiver(says(*(parts if apart else (b"".join(parts),)), then=polite)) as receiver:
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
        assert outcome == Answered(200, (("Content-Length", "7"),), b"at last", False)
        assert await sound(sender, receiver) == [1, 1, 1, 1]


async def test_101_ends_the_connection(sender, sound):
    """We asked for no other protocol: 101 is an answer that is not 2xx, and the last one on its connection."""
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x00"
    async with Receiver(says(switching)) as receiver:
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
        assert isinstance(outcome, Answered)
        assert (outcome.status, outcome.body) == (101, b"")
        await receiver.peers[0].gone()
        assert await sound(sender, receiver) == [2, 2, 2, 2]


async def test_a_body_of_chunks_is_put_together(sender, sound):
    """Chunks are undone, extensions and trailers included, and the connection is kept."""
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 1\r\n\r\n"
    for parts in ((said,), (said[:60], said[60:]), tuple(said[at : at + 9] for at in range(0, len(said), 9))):
        async with Receiver(says(*parts, then=polite)) as receiver:
            outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
            assert isinstance(outcome, Answered)
            assert (outcome.body, outcome.truncated) == (b"abcdefg", False)
            assert await sound(sender, receiver) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]
)
async def test_a_body_may_end_with_the_connection(sender, sound, head):
    """Without a length the body is what comes until the receiver closes; it is whole."""

    async def closing(peer: Peer) -> None:
        peer.hang_up()

    async with Receiver(says(head, b"until ", b"the end", then=closing)) as receiver:
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
        assert isinstance(outcome, Answered)
        assert (outcome.body, outcome.truncated) == (b"until the end", False)
        assert await sound(sender, receiver) == [2, 2, 2, 2]


@pytest.mark.parametrize("more", [0, 1, 300_000])
@pytest.mark.parametrize("status", [b"200 OK", b"500 Oh"])
async def test_a_body_is_kept_up_to_its_limit(sender, sound, more, status):
    """A body of 64 KiB is whole; of a longer one the first 64 KiB are kept, and the connection is dropped."""
    body = bytes(range(256)) * (ANSWER_BYTES_MAX // 256) + b"x" * more

    async with Receiver(says(answer(body, status=status), then=polite)) as receiver:
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
        assert isinstance(outcome, Answered)
        assert (outcome.status, outcome.truncated) == (int(status[:3]), more > 0)
        assert outcome.body == body[:ANSWER_BYTES_MAX]
        over = await sound(sender, receiver)
        if more != 1:  # aiohttp's session has given the connection back before it is known that one byte is too many
            assert over == ([2, 2, 2, 2] if more else [1, 1, 1, 1])


async def test_a_body_is_never_decompressed(sender, sound):
    """A gzip bomb stays as small as it came."""
    bomb = gzip.compress(b"\0" * 20_000_000, mtime=0)
    async with Receiver(says(answer(bomb, b"Content-Encoding: gzip\r\n"), then=polite)) as receiver:
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
        assert isinstance(outcome, Answered)
        assert (outcome.body, outcome.truncated) == (bomb, False)
        assert await sound(sender, receiver) == [1, 1, 1, 1]


async def test_headers_are_kept_up_to_their_limits(sender, sound):
    """Of many headers the first are kept, of a long one its beginning, in their order and as they were spelled."""
    lines = [b"x-Number: %d" % number for number in range(99)]
    long = b"X-Long: " + b"l" * 5_000
    body = b"fine"
    said = b"\r\n".join([b"HTTP/1.1 200 OK", long, b"content-LENGTH: 4", *lines, b"", body])
    async with Receiver(says(said, then=polite)) as receiver:
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
        assert isinstance(outcome, Answered)
        first = (("X-Long", "l" * ANSWER_HEADER_CHARS_MAX), ("content-LENGTH", "4"))
        rest = tuple(("x-Number", str(number)) for number in range(ANSWER_HEADERS_MAX - 2))
        assert outcome.headers == first + rest
        assert {type(text) for header in outcome.headers for text in header} == {str}
        assert outcome.body == body
        assert await sound(sender, receiver) == [1, 1, 1, 1]


async def test_headers_are_text_whatever_their_bytes(sender, sound):
    """Bytes that are not UTF-8 become text that can be stored."""
    said = answer(b"", b"X-Name: M\xfcller\r\nX-Name: Zo\xc3\xab\r\n")
    async with Receiver(says(said, then=polite)) as receiver:
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"{}")
        assert isinstance(outcome, Answered)
        assert [name for name, _ in outcome.headers] == ["Content-Length", "X-Name", "X-Name"]
        assert outcome.headers[1][1].encode() == "Müller".encode()
        assert await sound(sender, receiver) == [1, 1, 1, 1]


async def test_an_answer_may_come_before_the_request_is_sent(sender, sound):
    """A receiver that refuses a large request by its headers alone is heard, and its connection not used again."""

    async def refusing(peer: Peer) -> None:
        await peer.head()
        peer.say(answer(b"too much", status=b"413 Content Too Large"))
        await peer.gone()

    async with Receiver(refusing) as receiver:
        outcome = await sender.post(sender.target(receiver.url, False), HEAD, b"x" * 30_000_000)
        assert isinstance(outcome, Answered)
        assert (outcome.status, outcome.body) == (413, b"too much")
        assert await sound(sender, receiver) == [2, 2, 2, 2]


def test_a_request_has_one_spelling():
    """What is shown of a request later is put together by the same rule as what was sent."""
    whole = request_bytes(b"POST / HTTP/1.1\r\nHost: h\r\n", b"A: b\r\n", b"{}")
    assert whole == b"POST / HTTP/1.1\r\nHost: h\r\nA: b\r\nContent-Length: 2\r\n\r\n{}"
