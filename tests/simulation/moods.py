"""What a receiver answers, by its mood: bytes, when they go out, and how the connection ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random

MOODS = ("good", "slow", "hanging", "failing", "busy", "gone", "breaking", "babbling", "moody")
RETRY_AFTER_MAX_MS = 24 * 3_600_000
"""No receiver holds us back for longer, whatever it asks."""
CLOCK_WRONG_S = (0, 0, 0, 7_200, -86_400)
"""Receivers' clocks are not all right."""


@dataclass
class Reply:
    """`pieces` go out one after the other, each after a wait (seconds); with the one at `whole` the answer is complete,
    if it ever is. `status` is what a reader must read in them;
    None: no answer can be. `retry_after_ms` is what it asks for, as far as it counts."""

    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    whole: int = -1
    ending: str = "keep"
    """Or close, or reset, or silent."""
    status: int | None = None
    retry_after_ms: int | None = None


def reply(mood: str, random: Random, now_s: float) -> Reply:
    """*now_s*: seconds since 1970, as the receiver knows them."""
    if mood == "moody":
        mood = random.choice(["good", "good", "good", *MOODS[:-1]])
    if mood == "good":
        return good(random, random.uniform(0.001, 0.03))
    if mood == "slow":
        return good(random, random.uniform(0.3, 8))
    if mood == "hanging":
        return Reply(ending="silent")
    if mood == "busy":
        return busy(random, now_s) if random.random() < 0.6 else good(random, 0.01)
    if mood == "gone" and random.random() < 0.4:
        return answer(random, 410)
    if mood == "breaking":
        return breaking(random)
    if mood == "babbling":
        return babbling(random)
    return answer(random, random.choice([500, 500, 502, 404, 400, 301, 302, 304]))


def good(random: Random, wait_s: float) -> Reply:
    """Any 2xx, in any of the ways in which an answer may be framed."""
    status = random.choice([200, 200, 200, 201, 202, 204])
    head = f"HTTP/1.1 {status} Fine\r\n".encode()
    if status == 204:
        return Reply([(wait_s, head + b"\r\n")], status=status)
    way = random.randrange(5)
    if way == 0:
        body = [b"Transfer-Encoding: chunked\r\n\r\n2\r\no", b"k\r\n0\r\n", b"\r\n"]
        return Reply([(wait_s, head + body[0]), (0.01, body[1]), (0.02, body[2])], status=status)
    if way == 1:
        return Reply([(wait_s, head + b"\r\nto the end")], ending="close", status=status)
    if way == 2:
        return Reply(
            [(wait_s, head + b"Content-Length: 2\r\nConnection: close\r\n\r\nok")],
            ending=random.choice(["close", "keep"]),
            status=status,
        )
    if way == 3:
        return Reply(
            [(wait_s / 2, b"HTTP/1.1 100 Continue\r\n\r\n"), (wait_s / 2, head + b"Content-Length: 0\r\n\r\n")],
            status=status,
        )
    return Reply([(wait_s, head + b"Content-Length: 2\r\n\r\nok")], status=status)


def answer(random: Random, status: int, *headers: str) -> Reply:
    """Any other status, with headers."""
    lines = "".join(f"{header}\r\n" for header in headers)
    whole = f"HTTP/1.1 {status} So\r\n{lines}Content-Length: 2\r\n\r\nno".encode()
    if status == 304:
        whole = f"HTTP/1.1 304 So\r\n{lines}\r\n".encode()
    return Reply([(random.uniform(0.001, 0.1), whole)], status=status)


def busy(random: Random, now_s: float) -> Reply:
    """It asks us to come again later, in one of the ways to say so."""
    status = random.choice([429, 429, 503, 503, 500])
    wait_s = random.choice([0, 1, 30, 600, 5_000, 40_000, 200_000])
    way = random.randrange(4)
    if way == 0:
        return answer(random, status, "Retry-After: soon")
    if way == 1:
        then = now_s + random.choice(CLOCK_WRONG_S)
        until = [
            format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True) for at in (int(then), int(then) + wait_s)
        ]
        made = answer(random, status, f"Date: {until[0]}", f"retry-after:  {until[1]}")
    else:
        made = answer(random, status, f"Retry-After: {wait_s}")
    made.retry_after_ms = min(wait_s * 1000, RETRY_AFTER_MAX_MS)
    return made


def breaking(random: Random) -> Reply:
    """The connection ends before, or in the middle of, the answer; the status line decides if it came."""
    ending = random.choice(["close", "reset"])
    wait_s = random.uniform(0.001, 2)
    cut = random.randrange(7)
    if cut == 5:
        slow = [(wait_s, b"HTTP/1.1 200 Fine\r\nContent-Length: 6\r\n\r\n"), *[(7.0, b"z")] * 6]
        return Reply(slow, status=200)
    if cut == 6:
        return Reply([(wait_s, b"HTTP/1.1 200 Fine\r\n"), *[(7.0, b"X: y\r\n")] * 6], ending=ending)
    if cut == 0:
        return Reply([(wait_s, b"")], ending=ending)
    if cut == 1:
        return Reply([(wait_s, b"HTTP/1.1 200 Fi")], ending=ending)
    if cut == 2:
        return Reply([(wait_s, b"HTTP/1.1 200 Fine\r\nContent-Le")], ending=ending)
    status = 200 if cut == 3 else 500
    body = f"HTTP/1.1 {status} So\r\nContent-Length: 200\r\n\r\nhalf of".encode()
    return Reply([(wait_s, body), (0.1, b" it")], ending=ending, status=status)


def babbling(random: Random) -> Reply:
    """What is hardly HTTP, or far too much of it."""
    wait_s = random.uniform(0.001, 0.5)
    ok = b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok"
    match random.randrange(6):
        case 0:
            return Reply([(wait_s, random.randbytes(60))], ending="close")
        case 1:
            return Reply([(wait_s, b"SSH-2.0-OpenSSH_9.6\r\n")], ending="silent")
        case 2:
            return Reply([(wait_s, b"HTTP/1.1 200 Fine\r\nX: " + b"y" * 40_000 + b"\r\n\r\n")], ending="close")
        case 3:
            return Reply([(wait_s, ok + ok)], status=200)
        case 4:
            return Reply([(wait_s, ok), (0.5, b"and another thing")], whole=0, status=200)
        case _:
            big = b"HTTP/1.1 200 Fine\r\nContent-Length: 300000\r\n\r\n" + b"z" * 100_000
            return Reply([(wait_s, big), (0.1, b"z" * 200_000)], status=200)
