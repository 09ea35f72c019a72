"""CloudEvents 1.0 in all three modes, by the rules of its specification, its JSON format and its HTTP binding."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cloud_event import batch, binary, header_attributes, plain_of_structured, structured
from core.errors import InvalidInputError
from core.incoming import Checked, Rejected
from core.limits import EVENT_BYTES_MAX, REQUEST_EVENTS_MAX

EVENT = {
    "specversion": "1.0",
    "id": "6d1c",
    "source": "/portals/1",
    "type": "file.updated",
    "time": "2026-11-23T10:00:00Z",
    "actor": "anna",
    "readers": "user:anna role:admin",
    "subject": "991",
    "partitionkey": "7",
    "sequence": 12,
    "isfinal": True,
    "data": {"id": 991, "title": "report.docx"},
}
HEADERS = {
    "ce-specversion": "1.0",
    "CE-Id": "6d1c",
    "ce-source": "/portals/1",
    "ce-type": "file.updated",
    "ce-time": "2026-11-23T10:00:00Z",
    "ce-actor": "anna",
    "ce-readers": "user:anna%20role:admin",
    "ce-subject": "991",
    "ce-partitionkey": "7",
    "ce-sequence": "12",
    "ce-isfinal": "true",
    "Content-Type": "application/json",
    "User-Agent": "portal",
}
PLAIN = {
    "id": "6d1c",
    "tenant": "1",
    "type": "file.updated",
    "time": "2026-11-23T10:00:00Z",
    "actor": "anna",
    "readers": ["user:anna", "role:admin"],
    "data": {"id": 991, "title": "report.docx"},
    "specversion": "1.0",
    "source": "/portals/1",
    "subject": "991",
    "partitionkey": "7",
    "sequence": 12,
    "isfinal": True,
}


def one(raw=None, **members):
    said = {name: value for name, value in {**EVENT, **members}.items() if value is not ...}
    return structured(json.dumps(said).encode() if raw is None else raw, "1")


def posted(body=b'{"id": 991, "title": "report.docx"}', content_type="application/json", **headers):
    said = {**HEADERS, **{f"ce-{name}": value for name, value in headers.items()}}
    attributes = header_attributes([(name, value) for name, value in said.items() if value is not None])
    return binary(attributes, content_type, body, "1")


def test_a_structured_event_is_a_plain_event():
    """What has a meaning to us is where the plain form has it; the other attributes are kept, and data to the byte."""
    event = one(json.dumps(EVENT).replace("991,", "991.0e0,").encode())
    assert (event.tenant, event.id, event.type, event.actor) == ("1", "6d1c", "file.updated", "anna")
    assert event.readers == ("user:anna", "role:admin")
    assert event.time == 1_795_428_000_000
    assert list(json.loads(one().raw).items()) == list(PLAIN.items())
    assert b'"data":{"id": 991.0e0, "title": "report.docx"}' in event.raw


def test_the_binary_mode_is_the_same_event():
    """Attributes are headers, and then text; data is the body, and its type the Content-Type."""
    event = posted()
    typed = {"datacontenttype": "application/json", "sequence": "12", "isfinal": "true"}
    assert json.loads(event.raw) == PLAIN | typed
    assert posted(content_type=None).data == event.data
    assert posted(content_type="Application/vnd.portal+JSON; charset=UTF-8").data == event.data


def test_a_batch_is_an_array_of_them():
    """Each has its own error, with its place; an array it must be."""
    first, second, third = batch(json.dumps([EVENT, {**EVENT, "specversion": "0.3"}, 7]).encode(), "1")
    assert isinstance(first, Checked)
    assert second == Rejected("6d1c", '$[1].specversion: expected "1.0"')
    assert third == Rejected(None, "$[2]: expected object")
    assert batch(b" []", "1") == []
    for body in (b"", b"{", json.dumps(EVENT).encode(), b"[{]"):
        with pytest.raises(InvalidInputError, match="not JSON"):
            batch(body, "1")
    with pytest.raises(InvalidInputError) as refused:
        batch(json.dumps([EVENT] * (REQUEST_EVENTS_MAX + 1)).encode(), "1")
    assert refused.value.limit == "REQUEST_EVENTS_MAX"


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"specversion": ...}, "$.specversion: missing"),
        ({"specversion": None}, "$.specversion: missing"),
        ({"specversion": "1.1"}, '$.specversion: expected "1.0"'),
        ({"specversion": 1.0}, "$.specversion: expected str, bool or int"),
        ({"id": ...}, "$.id: missing"),
        ({"id": 7}, "$.id: expected str"),
        ({"id": ""}, "$.id: expected str of length >= 1"),
        ({"id": "x" * 201}, "$.id: expected str of length <= 200 (EVENT_ID_CHARS_MAX)"),
        ({"source": ...}, "$.source: missing"),
        ({"source": ""}, "$.source: expected a URI reference"),
        ({"source": "portal 1"}, "$.source: expected a URI reference"),
        ({"source": "//[1/1"}, "$.source: expected a URI reference"),
        ({"source": "/portals/2"}, "$.tenant: not yours: it is the last segment of source"),
        ({"source": "/portals/1", "tenant": "2"}, "$.tenant: not yours"),
        ({"tenant": 1}, "$.tenant: expected str"),
        ({"type": ...}, "$.type: missing"),
        ({"time": "yesterday"}, "$.time: "),
        ({"time": "2026-11-23T10:00:00"}, "$.time: expected datetime with a timezone"),
        ({"readers": ["everyone"]}, "$.readers: expected str, with spaces between readers"),
        ({"readers": "everyone role:king"}, "$.readers[1]: expected everyone"),
        ({"subject": ""}, "$.subject: expected str of length >= 1"),
        ({"subject": 5}, "$.subject: expected str"),
        ({"Big": "x"}, "$.Big: expected a name of a-z and 0-9"),
        ({"with_line": "x"}, "$.with_line: expected a name of a-z and 0-9"),
        ({"": "x"}, "$.: expected a name of a-z and 0-9"),
        ({"one": {}}, "$.one: expected str, bool or int"),
        ({"one": 1.5}, "$.one: expected str, bool or int"),
        ({"one": 2**31}, "$.one: expected an int of 32 bits"),
        ({"one": -(2**31) - 1}, "$.one: expected an int of 32 bits"),
        ({"one": "a\nb"}, "$.one: expected str without control characters"),
        ({"one": "\x9f"}, "$.one: expected str without control characters"),
        ({"one": "\ufdd0"}, "$.one: expected str without control characters"),
        ({"one": "\U0001ffff"}, "$.one: expected str without control characters"),
        ({"data": ...}, "$.data: missing"),
        ({"data": None}, "$.data: expected object"),
        ({"data": "{}"}, "$.data: expected object"),
        ({"data": "<a/>", "datacontenttype": "application/xml"}, "$.data: it is application/xml, and expected"),
        ({"data_base64": "e30="}, "$.data_base64: expected data or data_base64, not both"),
        ({"data": ..., "data_base64": "e30"}, "$.data_base64: expected str in base64"),
        ({"data": ..., "data_base64": {}}, "$.data_base64: expected str in base64"),
        ({"data": ..., "data_base64": "e30="}, "$.data: it is of no known type, and expected application/json"),
    ],
)
def test_what_is_no_cloud_event_is_told_with_its_path(members, error):
    """What breaks a rule, of theirs or of ours, is this event's error."""
    rejected = one(**members)
    assert isinstance(rejected, Rejected)
    assert rejected.error.startswith(error)


@pytest.mark.parametrize(
    "members",
    [
        {"one": 2**31 - 1},
        {"one": -(2**31)},
        {"one": None, "time": None, "subject": None},
        {"one": "\U0001f600 \u00e9"},
        {"datacontenttype": "APPLICATION/JSON;Charset=x"[:16]},
        {"datacontenttype": "text/json; charset=us-ascii"},
        {"datacontenttype": "application/vnd.portal.v1+json"},
        {"verylongnamethatshouldnotbesolong": "x"},
    ],
)
def test_what_the_rules_allow_is_taken(members):
    """Every type at its ends, every form of JSON's media type; null is as good as nothing."""
    event = one(**members)
    assert isinstance(event, Checked), event
    kept = json.loads(event.raw)
    assert {name: kept.get(name) for name in members} == members


@pytest.mark.parametrize(
    ("source", "tenant", "expected"),
    [
        ("/portals/7", None, "7"),
        ("https://example.com/portals/7/?x=8#y/9", None, "7"),
        ("https://example.com/portals/M%C3%BCller%20%2F", None, "M\u00fcller /"),
        ("7", None, "7"),
        ("/other/8", "7", "7"),
        ("https://example.com/", None, None),
    ],
)
def test_the_tenant_is_an_attribute_or_the_end_of_the_source(source, tenant, expected):
    """The last segment of the path that is not empty, decoded; without one, the event names no tenant."""
    said = {**EVENT, "source": source} | ({} if tenant is None else {"tenant": tenant})
    assert json.loads(plain_of_structured(json.dumps(said).encode(), "$")).get("tenant") == expected


def test_data_may_be_base64():
    """Where its type says that it is JSON; it is recorded as the JSON it is."""
    data = b'{"id": 991.00, "title": "\xc3\xa9"}'
    event = one(data=..., data_base64=base64.b64encode(data).decode(), datacontenttype="application/json")
    assert event.data == {"id": 991.0, "title": "\u00e9"}
    assert b'"data":' + data in event.raw
    assert one(data_base64=None).data == EVENT["data"]
    for wrong in (b"{", b"\xff", b'{"a": "\xff"}', b'"\\ud800"', b""):
        members = {"data": ..., "data_base64": base64.b64encode(wrong).decode(), "datacontenttype": "application/json"}
        rejected = one(**members)
        assert rejected.id == "6d1c"
        assert rejected.error.startswith("$.data: "), wrong


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u20ac \U0001f600"),
        ("%e2%82%ac", "\u20ac"),
        ("%41%2541", "A%41"),
        ("user:a role:admin", "user:a role:admin"),
        ('"two words"', "two words"),
        (r'"a \"word\" and \\"', 'a "word" and \\'),
        ('"%22"', '"'),
        ("100%", "100%"),
        ("\u00e9", "\u00e9"),
    ],
)
def test_header_values_are_unquoted_and_decoded_once(value, expected):
    """Quotes first, then one round of percent-decoding; what needed no encoding may have it, or not."""
    assert header_attributes([("ce-subject", value)]) == {"subject": expected}


@pytest.mark.parametrize("value", ["%C0%A0", "%ff", "%E2%82", "%ED%A0%80", "\udcff"])
def test_header_values_are_utf8(value):
    """Bytes that are no UTF-8 are refused, and the header is named."""
    with pytest.raises(InvalidInputError, match="ce-subject"):
        header_attributes([("ce-subject", value)])


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_any_text_survives_a_header(text):
    """Whatever is percent-encoded as the binding says comes out as it was."""
    assert header_attributes([("ce-x", quote(text, safe=""))]) == {"x": text}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"specversion": "0.3"}, '$.specversion: expected "1.0"'),
        *(({name: None}, f"the header ce-{name} is missing") for name in ("specversion", "source", "type")),
        ({"source": "/portals/2"}, "$.tenant: not yours"),
        ({"datacontenttype": "application/json"}, "$.datacontenttype: expected as the Content-Type"),
        ({"data": "x"}, "$.data: expected a name"),
        ({"subject": "a%0Ab"}, "$.subject: expected str without control characters"),
        ({"content_type": "application/x-ndjson"}, "$.data: it is application/x-ndjson, and expected application/json"),
        ({"content_type": "application/json; charset=utf-16"}, "$.data: it is in utf-16, and expected in UTF-8"),
        ({"body": b""}, "$.data: missing"),
        ({"body": b" "}, "$.data: missing"),
        ({"body": b"[]"}, "$.data: expected object"),
        ({"body": b"{"}, "$.data: not JSON"),
        ({"body": b'{"a": "\xff"}'}, "$.data: not UTF-8"),
        ({"body": b"[" * 5000 + b"]" * 5000}, "$.data: nested more than"),
        ({"body": b'"' + b"x" * EVENT_BYTES_MAX + b'"'}, "$.data: 262146 bytes, send at most"),
    ],
)
def test_what_is_no_event_in_binary_mode_is_told(said, error):
    """The same rules, and that data must be JSON."""
    rejected = posted(**said)
    assert isinstance(rejected, Rejected)
    assert rejected.id == "6d1c"
    assert rejected.error.startswith(error)


def test_an_attribute_stands_once():
    """Two headers of one name are no CloudEvent."""
    with pytest.raises(InvalidInputError, match="ce-id stands there twice"):
        header_attributes([("ce-id", "a"), ("Ce-Id", "a")])


@given(
    st.dictionaries(
        st.sampled_from([*EVENT, "tenant", "data_base64", "datacontenttype", "x"]),
        st.none() | st.text() | st.integers() | st.floats() | st.lists(st.text(), max_size=2),
    )
)
def test_any_members_are_checked(members):
    """Whatever the members hold, it is an event whose plain form holds what was sent, or an error with a path."""
    event = one(**members)
    if isinstance(event, Rejected):
        assert event.error.startswith("$")
    else:
        kept = json.loads(event.raw)
        assert kept["specversion"] == "1.0"
        assert kept["id"] == event.id


def test_half_a_character_in_a_header_is_not_joined_with_an_escape():
    """A byte that is not UTF-8 and an escape behind it make no character together."""
    with pytest.raises(InvalidInputError, match="ce-id is not UTF-8"):
        header_attributes([("ce-id", "\udccd%AE")])
