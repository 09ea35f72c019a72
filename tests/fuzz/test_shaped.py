"""The fuzzer's targets and judges, with inputs that are nearly right: shaped as they should be, but for some parts."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as some

from core.model.topics import TOPICS
from tests.fuzz import answers, cloud_events, incoming, retry_after, upcaster

EXAMPLES = 500
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


JUNK = some.sampled_from((None, 5, 2.5, "", "x" * 300, "\ud800", [], {}, ["everyone"], {"a": [[[]]]}, True))
TEXTS = VALUES.filter(lambda value: isinstance(value, str | None))
MEMBERS = {
    "id": some.text(min_size=1, max_size=5),
    "type": some.sampled_from(("file.updated", "a.b")),
    "data": some.dictionaries(some.text(max_size=3), TEXTS, max_size=2),
    "tenant": some.sampled_from(("1", "2")),
    "time": some.sampled_from(
        ("2026-11-23T10:00:00Z", "2026-02-30T10:00:00Z", "2026-11-23T10:00:00", "1969-01-01T00:00:00Z")
    ),
    "actor": some.text(max_size=3),
    "readers": some.lists(some.sampled_from(("everyone", "user:a", "group:", "role:admin", "role:boss")), max_size=3),
    "more": TEXTS,
}


@some.composite
def portal_events(draw):
    """The members of an event, some of them left out, some of them of another type."""
    names = [*draw(some.lists(some.sampled_from(sorted(MEMBERS)), unique=True, max_size=5)), "id", "type", "data"]
    said = {name: draw(MEMBERS[name]) for name in names}
    for name in draw(some.lists(some.sampled_from(sorted(said)), max_size=1)):
        said[name] = draw(JUNK)
    return said


@settings(max_examples=EXAMPLES, deadline=None)
@given(some.lists(portal_events() | JUNK, max_size=3), some.booleans(), some.sampled_from((None, 0, 2)))
def test_portal_events(entries, by_line, indent):
    """Arrays and lines of events, and of what is nearly one."""
    if by_line:
        incoming.look(b"\1" + "\n".join(json.dumps(entry) for entry in entries).encode())
    else:
        incoming.look(b"\0" + json.dumps(entries, indent=indent).encode())


HEADS = some.sampled_from(
    (
        "ce-specversion: 1.0",
        "ce-specversion: 1.1",
        "ce-id: a",
        "ce-id: %C3%A9%0A",
        "Ce-Id: b",
        "ce-source: /portals/1",
        "ce-source: not a uri",
        "ce-type: a.b",
        'ce-type: "a.b"',
        "ce-time: 2026-11-23T10:00:00Z",
        "ce-time: yesterday",
        "ce-tenant: 1",
        "ce-readers: everyone  user:a",
        "ce-Bad_Name: x",
        "ce-: x",
        "ce-datacontenttype: text/plain",
        "content-type: application/json; charset=utf-8",
        "content-type: text/plain",
    )
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    some.lists(HEADS, unique=True, max_size=8), some.booleans(), some.sampled_from(("{}", '{"id": 5}', "[]", "", "x"))
)
def test_cloud_events(heads, is_filled_up, body):
    """Headers of the binary mode in any choice and order."""
    cloud_events.look(b"%c" % (2 * is_filled_up) + "\n".join((*heads, "", body)).encode())
