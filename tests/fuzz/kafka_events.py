"""Any record of Kafka: what is taken for a CloudEvent in the binary mode is one to CloudEvents' own SDK, and says the
same; whatever else it is, it is events with their place, or says why not.
"""

from __future__ import annotations

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from core.incoming import Checked
from delivery.kafka.records import Record
from delivery.kafka_event import MANDATORY, events_of_record
from tests.fuzz.cloud_events import TENANT, judged

MODULES = ("delivery.kafka_event", "core.forms")
REQUIRED = (("ce_specversion", b"1.0"), ("ce_id", b"a"), ("ce_source", b"/1"), ("ce_type", b"a.b"))


def seeds() -> list[bytes]:
    heads = (
        b"",
        b"content-type: application/json; charset=utf-8",
        b"content-type: application/x-ndjson",
        b"content-type: application/cloudevents+json",
        b"Content-Type: application/cloudevents-batch+json",
        b"ce_specversion: 1.0\nce_id: \xc3\xa9\nce_source: /portals/1\nce_type: a.b\ncontent-type: application/json",
        b"CE_ID: a\nce_time: 2026-11-23T10:00:00Z\nce_readers: everyone user:b\nce_tenant: 1\ntraceparent: 00-1",
    )
    bodies = (
        b'{"id": 991}',
        b'{"id": "a", "type": "b.c", "data": {}}',
        b'[{"id": "a", "type": "b.c", "data": {}}, {"id": 5}]',
        b'{"specversion":"1.0","id":"a","source":"/1","type":"a.b","data":{"a":[1]}}',
        b'[{"specversion":"1.0","id":"a","source":"/portals/1","type":"a.b","data":{"id":5}}]',
    )
    return [flag + head + b"\n\n" + body for flag in (b"\0", b"\1") for head in heads for body in bodies]


def look(data: bytes) -> bool:
    """True when an event was taken. The first byte says whether what the binary mode needs is added."""
    if not data:
        return False
    head, _, value = data[1:].partition(b"\n\n")
    lines = [line.partition(b":") for line in head.splitlines()]
    headers = [(name.decode("utf-8", "replace").strip(), said.strip()) for name, colon, said in lines if colon]
    if data[0] & 1:
        there = {name.lower() for name, _ in headers}
        headers += [one for one in REQUIRED if one[0] not in there]
    found = events_of_record(Record("topic", 3, 7, None, value, tuple(headers), 0), TENANT)
    taken = [event for event in found if isinstance(event, Checked)]
    assert all(event.source == ("kafka", "topic", 3, 7) and event.tenant == TENANT for event in taken)
    assert all(event in taken or event.error for event in found)
    named = {name.lower(): said for name, said in headers}
    kind = named.get("content-type", b"").strip().lower()
    if taken and named.keys() & MANDATORY and not kind.startswith(b"application/cloudevents"):
        (event,) = taken
        ours = {name: said for name, said in named.items() if name.startswith("ce_") or name == "content-type"}
        judged(event, KafkaMessage(ours, None, value), from_binary_event)
    return bool(taken)
