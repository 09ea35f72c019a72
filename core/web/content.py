"""Which of the forms of portal events a request is in: its Content-Type says it, and the headers of a CloudEvent."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from core import cloud_event
from core.elements import SPACE
from core.errors import InvalidInputError
from core.incoming import Checked, Rejected, check_json, events_of, lines_of

Read = Callable[[bytes, str], list[Checked | Rejected]]
"""The body, and whose events they may be → the events, in the order sent."""

JSON = ("application/json", "text/json", "application/octet-stream", "text/plain", "application/x-www-form-urlencoded")
"""The last three are what is sent by clients that nobody told what they send."""
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
MANDATORY = tuple(f"ce-{name}" for name in cloud_event.MANDATORY)
"""Headers that make a request a CloudEvent in binary mode; one of them is enough to be told what the others lack."""


def reader_of(request: web.Request) -> Read:
    """How the body is to be read. HTTPUnsupportedMediaType when we do not know how."""
    if request.headers.get("Content-Type") == JSON[0] and not any(map(request.headers.__contains__, MANDATORY)):
        return events_of  # nearly all are this; the rest takes four times as long to find out
    kind = request.content_type
    if not kind.startswith("application/cloudevents") and any(name in request.headers for name in MANDATORY):
        return _binary(request)
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise web.HTTPUnsupportedMediaType(reason=f"it is in {request.charset}: send UTF-8")
    if kind in JSON:
        return events_of
    if kind in LINES:
        return lines_of
    if kind == STRUCTURED:
        return _structured
    if kind == BATCH:
        return cloud_event.batch
    raise web.HTTPUnsupportedMediaType(
        reason=f"{kind} is none of {JSON[0]}, {LINES[0]}, {STRUCTURED} and {BATCH}: send one of them, and say which"
    )


def _structured(body: bytes, tenant: str) -> list[Checked | Rejected]:
    text = body.strip(SPACE)
    if text.startswith(b"["):
        raise InvalidInputError(f"several CloudEvents are a batch: send Content-Type {BATCH}")
    check_json(text)
    return [cloud_event.structured(text, tenant)]


def _binary(request: web.Request) -> Read:
    attributes = cloud_event.header_attributes(request.headers.items())
    content_type = request.headers.get("Content-Type")
    return lambda body, tenant: [cloud_event.binary(attributes, content_type, body, tenant)]
