"""Which of the forms of portal events bytes are in, by the Content-Type that came with them. Pure."""

from __future__ import annotations

from collections.abc import Callable

from core import cloud_event
from core.elements import SPACE
from core.errors import InvalidInputError
from core.incoming import Checked, Rejected, check_json, checked, elements_of, events_of, lines_of

Read = Callable[[bytes, str | None], list[Checked | Rejected]]
"""The body, and whose events they may be → the events, in the order sent. None: each event says whose it is."""

JSON = ("application/json", "text/json", "application/octet-stream", "text/plain", "application/x-www-form-urlencoded")
"""The last three are what is sent by clients that nobody told what they send."""
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
CHARSETS = ("utf-8", "utf8", "us-ascii")


def form_of(kind: str, charset: str | None) -> Read:
    """How a body is to be read of which this is said. InvalidInputError when we do not know how."""
    if (charset or CHARSETS[0]).lower() not in CHARSETS:
        raise InvalidInputError(f"it is in {charset}: send UTF-8")
    if kind in JSON:
        return events_of
    if kind in LINES:
        return lines_of
    if kind == STRUCTURED:
        return _structured
    if kind == BATCH:
        return cloud_event.batch
    raise InvalidInputError(
        f"{kind} is none of {JSON[0]}, {LINES[0]}, {STRUCTURED} and {BATCH}: send one of them, and say which"
    )


def told_by_looking(body: bytes, tenant: str | None) -> list[Checked | Rejected]:
    """The events of a body of which nothing is said: plain, or CloudEvents where they have a `specversion`.
    InvalidInputError when the body as a whole is not JSON, or too many."""
    text = body.strip(SPACE)
    if text.startswith(b"["):
        return [_either(raw, tenant, f"$[{index}]") for index, raw in enumerate(elements_of(text))]
    check_json(text)
    return [_either(text, tenant, "$")]


def _either(raw: bytes, tenant: str | None, path: str) -> Checked | Rejected:
    if cloud_event.is_one(raw, path):
        return cloud_event.structured(raw, tenant, path)
    return checked(raw, tenant, path)


def _structured(body: bytes, tenant: str | None) -> list[Checked | Rejected]:
    text = body.strip(SPACE)
    if text.startswith(b"["):
        raise InvalidInputError(f"several CloudEvents are a batch: send Content-Type {BATCH}")
    check_json(text)
    return [cloud_event.structured(text, tenant)]
