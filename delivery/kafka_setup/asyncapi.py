"""The topics of Kafka that portals write and read, as an AsyncAPI 3 document, made from the types that the code has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from core.cloud_event import MANDATORY
from core.incoming import Plain
from core.model.topics import TOPICS
from core.settings import Settings
from delivery.dead import letter as dead_letter
from delivery.ledger_topic import forms as ledger_forms
from delivery.ledger_topic.event import CONTENT_TYPE, TELLERS, type_of

VERSION = "3.0.0"
"""Of AsyncAPI."""
BINDING = "0.5.0"
"""Of its binding for Kafka."""

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
ABOUT = (
    "Portals publish events to portal.events and read from webhook.ledger what became of them. All of it is at least "
    "once: who reads may see a record again, and knows it by its id. Names of topics are those that settings have by "
    "default."
)
HELP = {
    "portalEvents": "Portal events, in any of these forms; without a content-type a record is looked at. Any key: that "
    "of the entity keeps its events in order. Lines of events (application/x-ndjson) are taken as well.",
    "dead": "Records of portal.events that are no event, as they were, with the reason in headers.",
    "deliveries": "Between hookledger's own processes: what is due, keyed by webhook. Its form is theirs, and changes.",
    "ledger": "What is recorded of webhooks and deliveries: each a CloudEvent, keyed by its webhook's number, in the "
    "ledger's order for each key. Secrets are never in it, nor what was sent or answered.",
}
"""Of each channel, what it is for."""


def document() -> Schema:
    """The document as JSON has it."""
    schemas, ledger = _ledger()
    portal, portal_schemas = _portal()
    names = Settings()
    channels = {
        "portalEvents": _channel(names.inbox_topic[0], "portalEvents", portal),
        "dead": _channel(names.inbox_dead_topic, "dead", {"deadRecord": _dead()}),
        "deliveries": _channel(names.deliveries_topic, "deliveries", {"delivery": {"summary": "Internal."}}),
        "ledger": _channel(names.ledger_topic, "ledger", ledger),
    }
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Hookledger on Kafka",
            "version": "1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            "takePortalEvents": _operation("receive", "portalEvents"),
            "writeDead": _operation("send", "dead"),
            "handOut": _operation("send", "deliveries"),
            "takeHandedOut": _operation("receive", "deliveries"),
            "tellLedger": _operation("send", "ledger"),
        },
        "components": {"schemas": {**portal_schemas, **schemas}},
    }


def text() -> str:
    """The document, as it stands in docs/asyncapi.json."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2).decode() + "\n"


def _channel(address: str, name: str, messages: Mapping[str, Schema]) -> Schema:
    return {"address": address, "description": HELP[name], "messages": dict(messages)}


def _operation(action: str, channel: str) -> Schema:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _message(summary: str, payload: Schema, content_type: str, headers: Schema | None = None, key: str = "") -> Schema:
    said = {"content-type": {"const": content_type}, **(headers or {})}
    message: Schema = {
        "summary": summary,
        "contentType": content_type,
        "headers": {"type": "object", "properties": said},
        "payload": payload,
    }
    if key:
        message["bindings"] = {"kafka": {"key": {**TEXT, "description": key}, "bindingVersion": BINDING}}
    return message


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


# What is recorded.


def _ledger() -> tuple[dict[str, Schema], dict[str, Schema]]:
    """The schemas of all kinds of records, and the messages that have them."""
    kinds = {topic.partition("/")[0]: topic for topic, kind in TOPICS.items() if kind in TELLERS}
    forms = {name: getattr(ledger_forms, name.replace(".", "")) for name in kinds}
    _, schemas = msgspec.json.schema_components(list(forms.values()), ref_template="#/components/schemas/{name}")
    messages = {}
    for name, form in forms.items():
        record = _record(type_of(kinds[name]), _ref(form.__name__))
        schemas[f"{form.__name__}Event"] = record
        summary = " ".join((form.__doc__ or "").split())
        key = "The webhook's number, in decimal digits."
        messages[form.__name__] = _message(summary, _ref(f"{form.__name__}Event"), CONTENT_TYPE, key=key)
    return schemas, messages


def _record(type_: str, data: Schema) -> Schema:
    """A CloudEvent of one type."""
    schema = dict(msgspec.json.schema_components([ledger_forms.LedgerEvent])[1]["LedgerEvent"])
    return {**schema, "title": type_, "properties": {**schema["properties"], "type": {"const": type_}, "data": data}}


# What portals write.


def _portal() -> tuple[dict[str, Schema], dict[str, Schema]]:
    """The messages of portal events, and their schemas."""
    plain = msgspec.json.schema_components([Plain])[1]["Plain"]
    members = plain["properties"]
    attributes: Schema = {name: members[name] for name in ("id", "type", "time", "tenant", "actor", "traceparent")}
    attributes |= {
        "specversion": {"const": "1.0"},
        "source": {**TEXT, "description": "A URI reference whose path ends in the tenant."},
        "readers": {**TEXT, "description": "As in an event, with spaces between them."},
    }
    cloud: Schema = {
        "title": "CloudEvent",
        "type": "object",
        "required": [*sorted(MANDATORY), "data"],
        "properties": {**attributes, "data": members["data"]},
    }
    schemas = {"PortalEvent": {**plain, "title": "PortalEvent"}, "PortalCloudEvent": cloud}
    binary = {f"ce_{name}": schema for name, schema in attributes.items()}
    return {
        "event": _message("One event.", _ref("PortalEvent"), "application/json"),
        "events": _message("Several events.", {"type": "array", "items": _ref("PortalEvent")}, "application/json"),
        "cloudEvent": _message("One event as a CloudEvent.", _ref("PortalCloudEvent"), CONTENT_TYPE),
        "cloudEvents": _message(
            "Several CloudEvents.",
            {"type": "array", "items": _ref("PortalCloudEvent")},
            "application/cloudevents-batch+json",
        ),
        "binaryCloudEvent": _message(
            "A CloudEvent in the binary mode: its attributes are headers.", members["data"], "application/json", binary
        ),
    }, schemas


def _dead() -> Schema:
    said = {
        "reason": "Why it is no event.",
        "topic": "Where it was read.",
        "partition": "Of that topic.",
        "offset": "In that partition.",
        "deaths": "How often it has died: more than once, if it was retried in vain.",
        "cut": "How long its value was, where this topic did not take all of it.",
        "key-cut": "The same of its key.",
    }
    headers = {f"{dead_letter.OURS}{name}": {**TEXT, "description": means} for name, means in said.items()}
    return {
        "summary": "A record as it was, with its own headers beside these.",
        "headers": {"type": "object", "required": [*headers][:4], "properties": headers},
        "payload": {},
    }
