"""From a record to its events, in every form that a portal may use, or to what makes it none."""

from __future__ import annotations

import json

import pytest
from cloudevents.core.bindings.kafka import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from core.incoming import Checked, Rejected
from core.limits import REQUEST_BYTES_MAX, TENANT_CHARS_MAX
from delivery.kafka.records import Record
from delivery.kafka_event import TenantRules, events_of_record, tenant_of
from tests.inbox.conftest import event, plain

CLOUD = {"specversion": "1.0", "id": "a", "source": "/portals/7", "type": "file.created", "data": {"id": 1}}
CE = (("ce_specversion", b"1.0"), ("ce_id", b"a"), ("ce_source", b"/portals/7"), ("ce_type", b"file.created"))
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def kind(text):
    return ("content-type", text.encode())


def read(value, *headers, tenant=None):
    return events_of_record(Record("portal.events", 2, 77, None, value, headers, 0), tenant)


def dumped(said):
    return json.dumps(said).encode()


FORMS = {
    "plain": (plain(), (), "1"),
    "plain, of a tenant": (plain(tenant="7"), (), "7"),
    "plain, and said so": (plain(), (kind("application/json; charset=UTF-8"),), "1"),
    "an array": (dumped([event()]), (), "1"),
    "lines": (plain() + b"\n", (kind("application/x-ndjson"),), "1"),
    "a CloudEvent": (dumped(CLOUD), (kind("application/cloudevents+json"),), "7"),
    "a CloudEvent, in capitals": (dumped(CLOUD), (("Content-Type", b"Application/CloudEvents+JSON"),), "7"),
    "a CloudEvent, not said so": (dumped(CLOUD), (), "7"),
    "CloudEvents in an array": (dumped([CLOUD]), (), "7"),
    "a batch": (dumped([CLOUD]), (kind("application/cloudevents-batch+json; charset=utf-8"),), "7"),
    "binary": (b'{"id": 1}', (*CE, kind("application/json")), "7"),
    "binary, without a type": (b'{"id": 1}', CE, "7"),
    "binary, in capitals": (b'{"id": 1}', [(name.upper(), value) for name, value in CE], "7"),
    "binary, with more": (
        b'{"id": 1}',
        (*CE, ("ce_tenant", b"8"), ("ce_readers", b"everyone"), ("other", b"\xff")),
        "8",
    ),
    "structured, whatever headers say": (dumped(CLOUD), (*CE, kind("application/cloudevents+json")), "7"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_event(form):
    """With the record's place as its source; its tenant is what it says, and 1 where it says nothing."""
    value, headers, tenant = FORMS[form]
    (found,) = read(value, *headers)
    assert isinstance(found, Checked), found
    assert (found.id, found.type, found.data, found.tenant) == ("a", "file.created", {"id": 1}, tenant)
    assert found.source == ("kafka", "portal.events", 2, 77)


@pytest.mark.parametrize("form", FORMS)
def test_a_bound_topic_takes_its_tenant_s_events_alone(form):
    """In every form, who names another tenant has sent none; who names none has sent that tenant's."""
    value, headers, tenant = FORMS[form]
    (found,) = read(value, *headers, tenant="another")
    if tenant == "1":
        assert isinstance(found, Checked)
        assert found.tenant == "another"
    else:
        assert (found.kind, found.error.startswith("$")) == ("not_yours", True) or ".tenant: not yours" in found.error
    assert tenant_of(found, "another") == "another"


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
def test_what_the_sdk_of_cloudevents_writes_is_read(write):
    """In both modes, extensions and text of any language among it."""
    told = {"id": "\u00e9 \u65e5", "source": "/portals/7", "type": "file.created", "readers": "everyone role:admin"}
    message = write(CloudEvent({**told, "specversion": "1.0", "datacontenttype": "application/json"}, {"id": 1}))
    (found,) = read(message.value, *message.headers.items())
    assert isinstance(found, Checked), found
    assert (found.id, found.tenant, found.data) == (told["id"], "7", {"id": 1})
    assert found.readers == ("everyone", "role:admin")


NONE = {
    "no value": (None, (), "the record has no value"),
    "no value of a binary one": (None, CE, "the record has no value"),
    "nothing": (b"", (), "the record is not JSON"),
    "no JSON": (b"{", (), "the record is not JSON"),
    "no event": (b"7", (), "$: expected object"),
    "no UTF-8": (b'{"id": "\xff"}', (), "$: not UTF-8"),
    "without a type": (dumped({"id": "a", "data": {}}), (), "$.type: missing"),
    "a reader of no kind": (plain(readers=["me"]), (), "$.readers[0]: expected everyone"),
    "of no known kind": (b"<a/>", (kind("application/xml"),), "application/xml is none of application/json"),
    "in another charset": (plain(), (kind("application/json; charset=utf-16"),), "it is in utf-16: send UTF-8"),
    "binary, without its source": (b"{}", (*CE[:2], CE[3]), "the header ce_source is missing"),
    "binary, with a header twice": (b"{}", (*CE, CE[1]), "the header ce_id stands there twice"),
    "binary, with a header of no text": (b"{}", (*CE, ("ce_more", b"\xff")), "the header ce_more is not UTF-8"),
    "of a kind of no text": (plain(), (("content-type", b"\xff"),), "the header content-type is not UTF-8"),
    "binary, without data": (b"", CE, "$.data: missing"),
    "of another version": (dumped({**CLOUD, "specversion": "0.3"}), (), '$.specversion: expected "1.0"'),
    "several as one": (dumped([CLOUD]), (kind("application/cloudevents+json"),), "several CloudEvents are a batch"),
}  # fmt: skip


@pytest.mark.parametrize("none", NONE)
def test_what_is_none_says_why(none):
    """One line that names the path, the header, or the whole record."""
    value, headers, reason = NONE[none]
    (found,) = read(value, *headers)
    assert isinstance(found, Rejected), found
    assert found.error.startswith(reason), found.error


def test_what_is_over_a_limit_names_it():
    """Of the record, of the topic's name, and of how many there are."""
    (large,) = read(b" " * (REQUEST_BYTES_MAX + 1))
    (long,) = read(plain(), tenant="x" * (TENANT_CHARS_MAX + 1))
    (many,) = read(dumped([event()] * 1_001))
    limits = ["REQUEST_BYTES_MAX", "TENANT_CHARS_MAX", "REQUEST_EVENTS_MAX"]
    assert [found.limit for found in (large, long, many)] == limits
    assert many.error == "more than 1000 events in one record: send them in several"


def test_an_array_may_have_both():
    """Each element is an event, or says on its own path why not; an empty one is nothing at all."""
    first, second, third = read(dumped([event(), CLOUD, {**CLOUD, "id": ""}]))
    assert (first.tenant, second.tenant) == ("1", "7")
    assert third.error == "$[2].id: expected str of length >= 1"
    assert read(b" [ ] ") == []


def test_events_go_on_in_the_trace_of_their_record():
    """Those that name none of their own."""
    other = TRACE.replace(b"b7ad", b"b7ae").decode()
    first, second = read(dumped([event(), event(traceparent=other)]), ("traceparent", TRACE))
    assert (first.traceparent, second.traceparent) == (TRACE.decode(), other)


def test_a_topic_s_name_may_bind_it():
    """The first rule that fits decides; a name that fits none binds nobody."""
    rules = TenantRules(["portal.events.{tenant}", "{tenant}.events"])
    topics = [
        "portal.events.7",
        "portal.events",
        "portal.events.",
        "portalXeventsX7",
        "a.b.events",
        "portal.events.x.events",
    ]
    assert [rules.tenant(topic) for topic in topics] == ["7", "portal", None, None, "a.b", "x.events"]


@pytest.mark.parametrize("pattern", ["portal.events", "", "{tenant}.{tenant}"])
def test_a_rule_that_binds_nobody_is_refused(pattern):
    """It would be a mistake."""
    with pytest.raises(InvalidInputError, match=r"binds no tenant: write it like portal\.events\.\{tenant\}"):
        TenantRules([pattern])


NAMES = st.sampled_from([*dict(CE), "ce_tenant", "ce_time", "ce_", "content-type", "traceparent", "more"])
VALUES = st.sampled_from([value for value, _, _ in FORMS.values()])
HEADERS = st.lists(st.tuples(NAMES, st.sampled_from([*dict(CE).values(), TRACE, b"application/json"]) | st.binary()))


@given(st.none() | st.binary() | VALUES, HEADERS, st.none() | st.just("7"))
@example(b"{}", [("traceparent", b"\xff")], None)
def test_any_record_becomes_events_or_says_why(value, headers, tenant):
    """Whatever it holds: no error, and every event has its place and its tenant."""
    for found in read(value, *headers, tenant=tenant):
        assert isinstance(found, Checked | Rejected)
        if isinstance(found, Checked):
            assert found.source == ("kafka", "portal.events", 2, 77)
            assert tenant in (None, found.tenant)
        else:
            assert found.error
