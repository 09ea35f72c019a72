"""From a request's bytes to checked events, or to an error that names its path."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from core.incoming import Checked, Rejected, events_of, lines_of
from core.limits import (
    EVENT_ACTOR_CHARS_MAX,
    EVENT_BYTES_MAX,
    EVENT_ID_CHARS_MAX,
    EVENT_READERS_MAX,
    EVENT_TYPE_CHARS_MAX,
    REQUEST_EVENTS_MAX,
    TENANT_CHARS_MAX,
)

EVENT = {"id": "a", "type": "file.updated", "data": {"id": 991}}


def one(**members):
    (event,) = events_of(json.dumps({**EVENT, **members}).encode(), "1")
    return event


def test_an_event_alone_and_in_an_array_is_the_same():
    """One event may stand alone or in an array; what was sent is kept as it was sent."""
    raw = json.dumps({**EVENT, "unknown": [1]}).encode()
    (alone,), (listed,) = events_of(b" " + raw + b"\n", "1"), events_of(b"[" + raw + b"]", "1")
    assert (alone.raw, listed.raw) == (raw, raw)
    assert (alone.path, listed.path) == ("$", "$[0]")
    assert alone.data == listed.data == {"id": 991}


def test_what_is_not_said_is_none():
    """Time, actor and readers are None when the portal did not say; the tenant is the token's."""
    event = one()
    assert (event.time, event.actor, event.readers, event.tenant) == (None, None, None, "1")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000),
        ("2026-11-23T10:00:00.250+02:00", 1_795_420_800_250),
        ("2026-11-23T10:00:00.123456789Z", 1_795_428_000_123),
    ],
)
def test_times_have_a_zone(time, expected):
    """RFC 3339 with a zone, to the millisecond."""
    assert one(time=time).time == expected


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"id": 7}, "$.id: expected str"),
        ({"id": ""}, "$.id: expected str of length >= 1"),
        ({"id": "x" * 201}, "$.id: expected str of length <= 200"),
        ({"type": None}, "$.type: expected str"),
        ({"data": []}, "$.data: expected object"),
        ({"time": "2026-11-23T10:00:00"}, "$.time: expected datetime with a timezone component"),
        ({"time": "0001-01-01T00:00:00Z"}, "$.time: expected a time between 1970 and 9999"),
        ({"readers": "everyone"}, "$.readers: expected array or null"),
        ({"readers": ["role:owner"]}, "$.readers[0]: expected everyone, user:ID, group:ID or role:"),
        ({"readers": ["user:a", "group:"]}, "$.readers[1]: expected everyone, user:ID, group:ID or role:"),
        ({"tenant": "2"}, "$.tenant: not yours"),
    ],
)
def test_a_wrong_member_is_an_error_that_names_its_path(members, error):
    """A member of the wrong type, or of another tenant, is this entry's error."""
    rejected = one(**members)
    assert isinstance(rejected, Rejected)
    assert rejected.error.startswith(error)


def test_a_missing_member_is_named():
    """What is needed and not there is named, with the event's place in the array."""
    first, second = events_of(json.dumps([EVENT, {"id": "b", "type": "file.updated"}]).encode(), "1")
    assert isinstance(first, Checked)
    assert second == Rejected("b", "$[1].data: missing")


def test_a_too_large_event_is_its_own_error():
    """One event over the limit does not hurt the others."""
    large = {**EVENT, "id": "large", "data": {"id": 1, "title": "x" * EVENT_BYTES_MAX}}
    first, second = events_of(json.dumps([large, EVENT]).encode(), "1")
    assert first.id == "large"
    assert "EVENT_BYTES_MAX" in first.error
    assert isinstance(second, Checked)


@pytest.mark.parametrize("body", [b"", b"{", b"[{]", b"nonsense", b'{"id": "a"} {"id": "b"}', b"\xff"])
def test_what_is_not_json_is_refused_whole(body):
    """A request that is not JSON is no list of events at all."""
    with pytest.raises(InvalidInputError, match="not JSON"):
        events_of(body, "1")


def test_too_many_events_are_refused_whole():
    """The number of events in a request has a limit, and the error names it."""
    with pytest.raises(InvalidInputError) as refused:
        events_of(json.dumps([EVENT] * (REQUEST_EVENTS_MAX + 1)).encode(), "1")
    assert refused.value.limit == "REQUEST_EVENTS_MAX"


GOOD = json.dumps(EVENT).encode()


def nested(depth, member="x"):
    return b'{"id": "odd", "type": "t", "data": {}, "%s": ' % member.encode() + b"[" * depth + b"]" * depth + b"}"


ODD = {
    "too deep to decode": (nested(5_000), None, "nested more than 64 deep", "EVENT_DEPTH_MAX"),
    "too deep": (nested(64), "odd", "nested more than 64 deep", "EVENT_DEPTH_MAX"),
    "too large": (
        b'{"id": "odd", "x": "%s"}' % (b"x" * EVENT_BYTES_MAX),
        "odd",
        "bytes, send at most",
        "EVENT_BYTES_MAX",
    ),
    "half a character": (b'{"id": "odd", "x": "\\ud800"}', "odd", "half of a surrogate pair", None),
    "the other half": (b'{"id": "odd", "x": "\\\\\\udfffx"}', "odd", "half of a surrogate pair", None),
    "half a character in its id": (b'{"id": "\\udc00"}', None, "half of a surrogate pair", None),
    "not UTF-8": (b'{"id": "odd", "type": "t", "data": {"a": "\xff"}}', "odd", "not UTF-8", None),
    "not UTF-8, where nobody looks": (
        b'{"id": "odd", "type": "t", "data": {}, "\xc0\xa0": 1}',
        "odd",
        "not UTF-8",
        None,
    ),
    "a number": (b"7", None, "expected object", None),
}


@pytest.mark.parametrize(("odd", "id", "error", "limit"), ODD.values(), ids=ODD)
def test_what_cannot_be_decoded_is_its_own_error(odd, id, error, limit):
    """One bad entry does not hurt the others: alone, in an array, and among lines; and its error names the limit."""
    (alone,) = events_of(odd, "1")
    first, listed, last = events_of(b"[" + GOOD + b", " + odd + b",\n" + GOOD + b"]", "1")
    above, line, below = lines_of(GOOD + b"\n" + odd + b"\r\n" + GOOD, "1")
    assert all(isinstance(event, Checked) for event in (first, last, above, below))
    for rejected, path in ((alone, "$"), (listed, "$[1]"), (line, "$[1]")):
        assert (rejected.id, rejected.limit) == (id, limit)
        assert rejected.error.startswith(f"{path}: ")
        assert error in rejected.error
        assert limit is None or f"({limit})" in rejected.error


def test_what_is_as_deep_as_may_be_is_taken():
    """The event itself is the first level."""
    assert isinstance(events_of(nested(63), "1")[0], Checked)
    assert isinstance(events_of(nested(62, "data"), "1")[0], Rejected)


@pytest.mark.parametrize(
    ("member", "fits", "too_much", "limit"),
    [
        ("id", "x" * EVENT_ID_CHARS_MAX, "x" * (EVENT_ID_CHARS_MAX + 1), "EVENT_ID_CHARS_MAX"),
        ("type", "x" * EVENT_TYPE_CHARS_MAX, "x" * (EVENT_TYPE_CHARS_MAX + 1), "EVENT_TYPE_CHARS_MAX"),
        ("tenant", "1", "x" * (TENANT_CHARS_MAX + 1), "TENANT_CHARS_MAX"),
        ("actor", "x" * EVENT_ACTOR_CHARS_MAX, "x" * (EVENT_ACTOR_CHARS_MAX + 1), "EVENT_ACTOR_CHARS_MAX"),
        ("readers", ["everyone"] * EVENT_READERS_MAX, ["everyone"] * (EVENT_READERS_MAX + 1), "EVENT_READERS_MAX"),
        ("readers", ["user:" + "x" * 250], ["everyone", "user:" + "x" * 251], "EVENT_READER_CHARS_MAX"),
    ],
)
def test_every_member_has_a_limit_with_a_name(member, fits, too_much, limit):
    """What is too long is refused with the limit's name; what is just as long as may be is taken."""
    assert isinstance(one(**{member: fits}), Checked)
    rejected = one(**{member: too_much})
    assert rejected.limit == limit
    assert rejected.error.startswith(f"$.{member}")
    assert rejected.error.endswith(f"({limit})")


def test_lines_are_counted_without_the_empty_ones():
    """Empty lines are no events; a line that is not JSON is one, with an error."""
    events = lines_of(b"\n" + GOOD + b"\n\n  \r\n{\n" + GOOD, "1")
    assert [getattr(event, "error", "") for event in events] == ["", "$[1]: not JSON: it ends too early", ""]
    assert lines_of(b"", "1") == lines_of(b"\n", "1") == []


def test_too_many_lines_are_refused_whole():
    """As many lines as an array may have elements."""
    with pytest.raises(InvalidInputError) as refused:
        lines_of(GOOD + (b"\n" + GOOD) * REQUEST_EVENTS_MAX, "1")
    assert refused.value.limit == "REQUEST_EVENTS_MAX"


def test_too_many_of_which_some_are_odd_are_refused_whole():
    """The limit holds as well where the array has to be taken apart, and that takes no long time."""
    for body in (b'["\\ud800"' + b',""' * REQUEST_EVENTS_MAX + b"]", b'["\\ud800"' + b',""' * 2_000_000 + b"]"):
        with pytest.raises(InvalidInputError) as refused:
            events_of(body, "1")
        assert refused.value.limit == "REQUEST_EVENTS_MAX"
    with pytest.raises(InvalidInputError, match="not JSON"):
        events_of(b'["\\ud800",' + b"[" * 4_000_000 + b"]" * 4_000_000 + b"]", "1")


PIECES = st.lists(
    st.sampled_from(
        [b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\ud800", b"\\udc00", b"\xff", b'"a"', b"1", b" "]
    )
    | st.sampled_from([b'{"id":', GOOD, b'{"a":"\\ud800"}', b"[[", b"]]", b"null", b"NaN", b"01", b"\n"]),
    max_size=12,
).map(b"".join)


def is_json(body):
    """By the standard library, which takes halves of characters; bytes that are not UTF-8 are let pass in strings."""

    def no(constant):
        raise ValueError(constant)

    try:
        json.loads(body.decode("utf-8", "replace"), parse_constant=no)
    except ValueError:
        return False
    return True


@given(PIECES | PIECES.map(lambda inner: b"[" + inner + b"]"))
def test_what_is_refused_whole_is_what_is_not_json(body):
    """A request is refused whole if another parser does not take it for JSON, and only then."""
    try:
        events_of(body, "1")
    except InvalidInputError:
        assert not is_json(body)
    else:
        assert is_json(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_become_events_or_errors(body):
    """Whatever is sent is events, entries' errors, or one error for the whole; nothing else comes out."""
    try:
        events = events_of(body, "1")
    except InvalidInputError:
        return
    assert all(isinstance(event, Checked | Rejected) for event in events)


@given(
    st.dictionaries(st.text(st.sampled_from("ab\ud800\udc00\u00e9")), JSON | st.text(st.characters())), st.booleans()
)
def test_what_is_accepted_can_be_encoded_again(data, is_ascii):
    """Whatever passes, also where nobody looked, has only characters that can be written."""
    body = json.dumps({**EVENT, "data": data, "more": data}, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    for event in (*events_of(body, "1"), *lines_of(body, "1")):
        if isinstance(event, Checked):
            json.dumps(json.loads(event.raw), ensure_ascii=False).encode()
            msgspec.json.encode(event.data)
        else:
            with pytest.raises(UnicodeEncodeError):
                json.dumps(data, ensure_ascii=False).encode()


@given(st.dictionaries(st.sampled_from([*EVENT, "tenant", "time", "actor", "readers"]), JSON))
def test_any_members_are_checked(members):
    """Whatever the members hold, what passes has the right types."""
    (event,) = events_of(json.dumps({**EVENT, **members}).encode(), "1")
    if isinstance(event, Checked):
        assert isinstance(event.id, str)
        assert 1 <= len(event.id) <= 200
        assert isinstance(event.data, dict)
        assert event.actor is None or isinstance(event.actor, str)


def test_an_array_that_ends_like_an_object_is_not_json():
    """Nothing of it is taken, though each of its elements could be told apart."""
    half = b'{"id": "\\ud800", "type": "b.c", "data": {}}'
    whole = b'{"id": "a", "type": "b.c", "data": {}}'
    assert len(events_of(b"[" + whole + b"," + half + b"]", "1")) == 2
    with pytest.raises(InvalidInputError, match="not JSON"):
        events_of(b"[" + whole + b"," + half + b"}", "1")


@pytest.mark.parametrize(("said", "whose"), [({"tenant": "7"}, "7"), ({}, "1"), ({"tenant": None}, "1")])
def test_where_nobody_is_bound_each_event_says_whose_it_is(said, whose):
    """Then it is the event's own tenant, and 1 where it names none."""
    (event,) = events_of(json.dumps({**EVENT, **said}).encode(), None)
    assert event.tenant == whose
