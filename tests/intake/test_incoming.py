"""From a request's bytes to checked events, or to an error that names its path."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from core.incoming import Checked, Rejected, events_of
from core.limits import EVENT_BYTES_MAX, REQUEST_EVENTS_MAX

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


def test_deep_nesting_is_refused():
    """Nesting that no parser follows is refused, and ends nothing."""
    deep = b'{"id": "deep", "type": "file.updated", "data": {"id": ' + b"[" * 5_000 + b"]" * 5_000 + b"}}"
    for body in (deep, b"[" + deep + b"]"):
        with pytest.raises(InvalidInputError, match="not JSON"):
            events_of(body, "1")


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


@given(st.dictionaries(st.sampled_from([*EVENT, "tenant", "time", "actor", "readers"]), JSON))
def test_any_members_are_checked(members):
    """Whatever the members hold, what passes has the right types."""
    (event,) = events_of(json.dumps({**EVENT, **members}).encode(), "1")
    if isinstance(event, Checked):
        assert isinstance(event.id, str)
        assert 1 <= len(event.id) <= 200
        assert isinstance(event.data, dict)
        assert event.actor is None or isinstance(event.actor, str)
