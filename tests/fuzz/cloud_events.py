"""Any headers and bytes as a CloudEvent: what is taken for one is one to the SDK of those who wrote the specification,
and says the same.
"""

from __future__ import annotations

import re
from typing import Any

from cloudevents.core.bindings.http import HTTPMessage, from_binary_event, from_structured_event
from cloudevents.core.exceptions import BaseCloudEventException

from core.cloud_event import binary, header_attributes, structured
from core.errors import InvalidInputError
from core.incoming import Checked, Rejected

MODULES = ("core.cloud_event",)
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
REQUIRED = (("ce-specversion", "1.0"), ("ce-id", "a"), ("ce-source", "/1"), ("ce-type", "a.b"))
TENANT = "1"


def seeds() -> list[bytes]:
    heads = (
        b"ce-specversion: 1.0\nce-id: a\nce-source: /portals/1\nce-type: file.updated\ncontent-type: application/json",
        b"ce-specversion: 1.0\nCE-ID: %C3%A9\nce-source: /x\nce-tenant: 1\nce-type: a.b\nce-time: 2026-11-23T10:00:00Z",
        b"ce-specversion: 0.3\nce-id: a\nce-source: //1\nce-type: a.b",
        b'ce-specversion: "1.0"\nce-id: "a\\"b"\nce-source: /1\nce-type: a.b\nce-readers: everyone user:b\nce-more: 5',
    )
    bodies = (
        b'{"specversion":"1.0","id":"a","source":"/portals/1","type":"a.b","data":{"id":5}}',
        b'{"specversion":"1.0","id":"a","source":"/1","type":"a.b","time":"2026-11-23T10:00:00.5+01:00","n":5,"b":true,'
        b'"readers":"everyone role:admin","datacontenttype":"application/json","data":{"a":[1]}}',
        b'{"specversion":"1.0","id":"a","source":"/1","type":"a.b",'
        b'"datacontenttype":"application/json","data_base64":"eyJhIjoxfQ=="}',
    )
    return (
        [b"\2" + head[:40] + b"\n\n{}" for head in heads]
        + [b"\0" + head + b'\n\n{"id": 991, "title": "report"}' for head in heads]
        + [b"\1" + body for body in bodies]
    )


def look(data: bytes) -> bool:
    """True when it was taken. The first byte says whether it is in the structured mode, and whether
    what the binary mode needs is added where it is not there."""
    if not data:
        return False
    return look_structured(data[1:]) if data[0] & 1 else look_binary(data[1:], bool(data[0] & 2))


def look_binary(said: bytes, is_filled_up: bool) -> bool:
    head, _, body = said.partition(b"\n\n")
    lines = [line.partition(":") for line in head.decode("utf-8", "surrogateescape").splitlines()]
    headers = [(name.strip(), value.strip()) for name, colon, value in lines if colon]
    if is_filled_up:
        there = {name.lower() for name, _ in headers}
        headers += [(name, value) for name, value in REQUIRED if name not in there]
    content_type = next((value for name, value in headers if name.lower() == "content-type"), None)
    try:
        found = binary(header_attributes(headers), content_type, body, TENANT)
    except InvalidInputError:
        return False
    return judged(found, HTTPMessage({name: unquoted(value) for name, value in headers}, body), from_binary_event)


def look_structured(body: bytes) -> bool:
    found = structured(body, TENANT)
    return judged(found, HTTPMessage({"content-type": "application/cloudevents+json"}, body), from_structured_event)


def judged(found: Checked | Rejected, message: HTTPMessage, read: Any) -> bool:
    if isinstance(found, Rejected):
        assert found.error.startswith(("$", "the header ce-")), found
        return False
    try:
        event = read(message)
    except (BaseCloudEventException, ValueError) as error:
        raise AssertionError(f"taken: {found}; refused by the SDK: {error}") from error
    assert (found.tenant, found.type) == (TENANT, event.get_type())
    assert found.id == event.get_id(), (found, event.get_id())
    assert event.get_specversion() == "1.0"
    assert event.get_source()
    if found.time is not None:
        assert abs(found.time - event.get_time().timestamp() * 1000) <= 1, (found, event.get_time())
    data = event.get_data()
    if isinstance(data, dict):
        assert found.data == data, (found, data)
    return True


def unquoted(text: str) -> str:
    """The SDK leaves the quotes of a header's value where they are; the HTTP binding has them undone."""
    quoted = QUOTED.fullmatch(text)
    return text if quoted is None else re.sub(r"\\(.)", r"\1", quoted[1])
