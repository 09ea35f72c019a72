"""What is told of each recorded event, and what of none is ever told."""

from __future__ import annotations

import base64
import inspect
import json
from datetime import UTC, datetime, timedelta
from typing import get_args, get_type_hints

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from hypothesis import given
from hypothesis import strategies as st

from core.clock import to_iso
from core.ledger.unit import Recorded
from core.model import delivery, webhook
from core.model.delivery import Attempt
from core.model.portal_event import Proof
from core.model.topics import TOPICS
from core.webhook_fields import Fields
from delivery.ledger_topic.event import CHANGING, Known, message_of, portal_events
from tests.feed import told

KNOWN = Known({told.HOOK: told.NUMBER}.__getitem__, {told.EVENT: told.RECEIVED})
UNTOLD = {
    webhook.Created: {"secret"},
    webhook.SecretReset: {"secret"},
    Attempt: {"secret", "wire", "last_success", "last_failure", "body_hash", "headers", "traced"},
    Proof: {"hash"},
}
"""Fields of which nothing is told: secrets, what stands for what was sent, and what its receiver said."""
TOLD = {
    webhook.Created: {"name", "url", "owner", "triggers", "target", "ssl", "enabled", "schedule_s"},
    webhook.Changed: {"changes"},
    webhook.SecretReset: set(),
    webhook.Enabled: set(),
    webhook.Disabled: {"reason", "cause"},
    webhook.Deleted: set(),
    delivery.Created: {"webhook", "event", "cause"},
    delivery.Delivered: {"webhook", "number", "attempt"},
    delivery.AttemptFailed: {"webhook", "number", "attempt", "next", "retry_after", "capped", "holds"},
    delivery.LateAttempt: {"webhook", "number", "attempt"},
    delivery.Cancelled: {"webhook", "number", "reason"},
    Attempt: {"number", "started", "took", "webhook_version", "status", "reason", "answer", "truncated"},
    Proof: {"length"},
}
EVERYWHERE = {"tenant", "at", "by"}
OURS = {topic: kind for topic, kind in TOPICS.items() if topic.startswith(("Webhook.", "Delivery."))}


def message(recorded):
    return message_of(recorded, KNOWN, "webhook.ledger")


@pytest.mark.parametrize(
    ("recorded", "expected"), told.EXPECTED, ids=lambda one: type(getattr(one, "event", None)).__name__
)
def test_what_is_told_of_an_event(recorded, expected):
    """Exactly this, keyed by its webhook, as a CloudEvent that others read."""
    made = message(recorded)
    assert json.loads(made.value) == expected
    assert (made.topic, made.key, made.headers) == (
        "webhook.ledger",
        b"7",
        (("content-type", b"application/cloudevents+json"),),
    )
    read = from_structured_event(KafkaMessage(dict(made.headers), made.key, made.value))
    assert read.get_id() == str(recorded.position)
    assert read.get_data() == expected["data"]


def test_every_kind_of_event_is_thought_of():
    """Of webhooks and deliveries all kinds are told, also one that comes new; of the others none is."""
    assert {type(recorded.event) for recorded, _ in told.EXPECTED} == set(OURS.values())
    others = [kind for topic, kind in TOPICS.items() if topic not in OURS]
    assert len(others) > 5
    for kind in others:
        assert message(Recorded(9, told.HOOK, 1, made_of(kind, b"x" * 16))) is None


def test_every_field_is_thought_of():
    """A field that comes new is told, or is not; somebody has to say which."""
    for kind in (*OURS.values(), Attempt, Proof):
        fields = set(kind.__struct_fields__)
        assert fields - EVERYWHERE == TOLD[kind] | UNTOLD.get(kind, set()), kind
    assert set(CHANGING) == set(Fields.__struct_fields__)


@given(secret=st.binary(min_size=16, max_size=32))
def test_no_bytes_of_an_event_are_ever_told(secret):
    """Ids of secrets, hashes and proofs are bytes, and so is a body; none is there in any form, nor a header."""
    marker = f"said-{secret.hex()}"
    for kind in OURS.values():
        event = made_of(kind, secret, marker)
        known = Known(lambda _: 7, {secret: told.RECEIVED})
        value = message_of(Recorded(9, b"\x01" * 16, 1, event), known, "t").value.decode()
        for form in (secret.hex(), base64.b64encode(secret).decode(), base64.urlsafe_b64encode(secret).decode()):
            assert form.rstrip("=") not in value.replace(marker, "")
        assert f"{marker}-header" not in value


def made_of(kind, secret, marker="said"):
    """An event of a kind, with *secret* wherever it has bytes, and *marker* wherever it has text."""
    hints = get_type_hints(kind, include_extras=False)
    return kind(*(_value(hints[name], secret, marker, name) for name in kind.__struct_fields__))


def _value(hint, secret, marker, name):
    if name == "headers":
        return ((f"{marker}-header", f"{marker}-header"),)
    if name == "changes":
        return dict.fromkeys(CHANGING, (marker, marker)) | {"secret": (f"{marker}-header", f"{marker}-header")}
    options = [one for one in get_args(hint) if one is not type(None)] or [hint]
    hint = options[0]
    if inspect.isclass(hint) and issubclass(hint, msgspec.Struct):
        return made_of(hint, secret, marker)
    if hint is bytes:
        return secret
    if hint is int:
        return 1_795_000_000_250
    return True if hint is bool else marker


@given(st.integers(0, 253_402_300_799_999))
def test_times_are_those_of_the_api(at_ms):
    """To the millisecond, in its form."""
    said = json.loads(message(told.hook(webhook.Enabled("1", at_ms, None))).value)["time"]
    assert datetime.fromisoformat(said) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    assert len(said) == len(to_iso(at_ms))


@given(st.text(min_size=1, max_size=100))
def test_any_tenant_is_told(tenant):
    """Whatever its name: the source stays a reference, and the attribute says it as it is."""
    made = json.loads(message(told.hook(webhook.Enabled(tenant, told.AT, None))).value)
    assert made["tenant"] == tenant
    assert made["source"].isascii()
    assert made["source"].count("/") == 3


def test_portal_events_that_are_not_among_the_others_are_asked_for():
    """Those of deliveries whose own event was recorded elsewhere."""
    created = told.parcel(delivery.Created("1", told.AT, 7, told.EVENT))
    assert portal_events([created, told.hook(told.CREATED)]) == ({}, {told.EVENT})
    assert portal_events([told.RECEIVED, created]) == ({told.EVENT: told.RECEIVED}, set())
