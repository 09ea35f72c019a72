"""The fuzzer's targets and judges, with inputs that are nearly right: shaped as they should be, but for some parts."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as some

from core.model.topics import TOPICS
from tests.fuzz import answers, retry_after, upcaster

EXAMPLES = 1_000
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**63), 2**64 - 1) | some.floats() | some.text() | some.binary(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@some.composite
def states(draw):
    """A true state of some topic, with some of its values exchanged, or more of them, or fewer."""
    data = draw(some.sampled_from(upcaster.seeds()))
    values = msgspec.msgpack.decode(data[1:])
    for _ in range(draw(some.integers(0, 2))):
        match draw(some.sampled_from(("exchange", "nest", "add", "drop"))):
            case "exchange":
                values[draw(some.integers(0, len(values) - 1))] = draw(VALUES)
            case "nest":
                inner = [value for value in values if isinstance(value, list) and value] or [values]
                one = draw(some.sampled_from(inner))
                one[draw(some.integers(0, len(one) - 1))] = draw(VALUES)
            case "add":
                values.append(draw(VALUES))
            case _:
                del values[draw(some.integers(0, len(values) - 1)) :]
        if not values:
            break
    return data[:1] + msgspec.msgpack.encode(values)


@settings(max_examples=EXAMPLES, deadline=None)
@given(states())
def test_states(data):
    """A state with a wrong value is an event of the declared types all the same, or a LedgerError."""
    upcaster.look(data)


def test_true_states_are_taken():
    """Every topic's own state is read, those that must be upcast too."""
    assert [data for data in upcaster.seeds() if not upcaster.look(data)] == []
    assert len(upcaster.seeds()) == len(TOPICS) + 3


LINES = some.sampled_from(
    (
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 304 Not Modified",
        b"HTTP/1.0 500 Oops",
        b"HTTP/1.1 429",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 202 Accepted",
        b"HTTP/1.1 99 Low",
        b"HTTP/2 200",
        b"ICY 200 OK",
    )
)
HEADERS = some.sampled_from(
    (
        b"Content-Length: 5",
        b"Content-Length: 7",
        b"content-length: 5, 5",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Content-Encoding: gzip",
        b"Retry-After: 3",
        b"X: \xff\xfe",
        b" folded",
        b"no colon",
        b"X:" + b"y" * 3_000,
    )
)
BODIES = some.sampled_from(
    (
        b"",
        b"hello",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;a\r\nhello\r\n0\r\nX: y\r\n\r\n",
        b"zz\r\n",
        b"fffffffffffffffff\r\n",
    )
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(LINES, some.lists(HEADERS, max_size=4), some.sampled_from((b"\r\n", b"\n")), BODIES, some.integers(0, 40))
def test_answers(line, headers, end, body, cut):
    """Heads and bodies that fit together, and such that do not."""
    answers.look(bytes([cut]) + end.join((line, *headers, b"", b"")) + body)


PARTS = some.sampled_from(
    ("Sun", "Sunday", ", ", " ", "06", "6", "31", "Nov", "feb", "-", "94", "2094", "08:49:37", "24:00:00", "GMT", "UTC")
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(some.lists(PARTS, max_size=14).map("".join), some.sampled_from(("", "Sun, 06 Nov 2094 08:49:37 GMT")))
def test_dates(asked, date):
    """The parts of dates in any order."""
    retry_after.look(f"{asked}\n{date}".encode())
