"""What a portal sent, from bytes to checked events, or to an error that names its path. Pure.

One event, or a JSON array of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from core.errors import InvalidInputError
from core.limits import EVENT_BYTES_MAX, EVENT_ID_CHARS_MAX, REQUEST_EVENTS_MAX, TENANT_CHARS_MAX
from core.trigger import ROLES, PortalEvent

READER = re.compile(rf"(?:everyone|(?:user|group):.+|role:(?:{'|'.join(ROLES)}))\Z", re.DOTALL)
TYPE_CHARS_MAX = 100
"""The type of a portal event."""
READERS_MAX = 1_000
"""Readers of one portal event."""
TIME_MS_MAX = 253_402_300_799_999
"""The last millisecond of the year 9999."""


Decoded = TypeVar("Decoded")


class Checked(msgspec.Struct, frozen=True, gc=False):
    """An event whose members have the right types. `time` None: the portal did not say; `raw` is what it sent,
    `path` its place in the request."""

    tenant: str
    id: str
    type: str
    data: dict[str, Any]
    time: int | None
    actor: str | None
    readers: tuple[str, ...] | None
    raw: bytes
    path: str

    def as_portal_event(self, now_ms: int) -> PortalEvent:
        """As plugins are given it."""
        return PortalEvent(
            tenant=self.tenant,
            id=self.id,
            type=self.type,
            data=self.data,
            time=now_ms if self.time is None else self.time,
            actor=self.actor,
            readers=self.readers,
        )


class Rejected(msgspec.Struct, frozen=True):
    """Not an event: `error` names the path and what was expected; `id` None where it could not be read."""

    id: str | None
    error: str


class _Event(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_ID_CHARS_MAX)]
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=TYPE_CHARS_MAX)]
    data: dict[str, Any]
    tenant: Annotated[str, msgspec.Meta(min_length=1, max_length=TENANT_CHARS_MAX)] | None = None
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    actor: str | None = None
    readers: Annotated[tuple[str, ...], msgspec.Meta(max_length=READERS_MAX)] | None = None


class _Id(msgspec.Struct):
    id: str


_DECODE = msgspec.json.Decoder(_Event).decode
_DECODE_ID = msgspec.json.Decoder(_Id).decode
_DECODE_RAW = msgspec.json.Decoder(msgspec.Raw).decode
_DECODE_LIST = msgspec.json.Decoder(list[msgspec.Raw]).decode
_AT = re.compile(r"(?P<words>.*?)(?: - at `(?P<path>[^`]*)`)?\Z", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`")
_EXPECTED = re.compile(r"Expected (?P<want>.*?)(?:, got .*)?\Z", re.DOTALL)


def events_of(body: bytes, tenant: str) -> list[Checked | Rejected]:
    """The events of a request, in its order. InvalidInputError when the body as a whole is not JSON, or too many."""
    if not body.lstrip(b" \t\r\n").startswith(b"["):
        _json(body, _DECODE_RAW)
        return [checked(body.strip(), tenant, "$")]
    raws = _json(body, _DECODE_LIST)
    if len(raws) > REQUEST_EVENTS_MAX:
        raise InvalidInputError(
            f"{len(raws)} events in one request; send at most {REQUEST_EVENTS_MAX}", limit="REQUEST_EVENTS_MAX"
        )
    return [checked(bytes(raw), tenant, f"$[{index}]") for index, raw in enumerate(raws)]


def _json(body: bytes, decode: Callable[[bytes], Decoded]) -> Decoded:
    try:
        return decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInputError(f"the request is not JSON: {error}") from None


def checked(raw: bytes, tenant: str, path: str) -> Checked | Rejected:
    """One event; `path` is its place in the request, for errors. *tenant* is whose events the caller may send."""
    if len(raw) > EVENT_BYTES_MAX:
        return Rejected(_id_of(raw), f"{path}: {len(raw)} bytes, at most {EVENT_BYTES_MAX} (EVENT_BYTES_MAX)")
    try:
        event = _DECODE(raw)
    except msgspec.ValidationError as error:
        return Rejected(_id_of(raw), in_words(str(error), path))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return Rejected(None, f"{path}: not JSON: {error}")
    if event.tenant is not None and event.tenant != tenant:
        return Rejected(event.id, f"{path}.tenant: not yours")
    for index, reader in enumerate(event.readers or ()):
        if READER.match(reader) is None:
            return Rejected(
                event.id, f"{path}.readers[{index}]: expected everyone, user:ID, group:ID or role:{'|'.join(ROLES)}"
            )
    time = None if event.time is None else round(event.time.timestamp() * 1000)
    if time is not None and not 0 <= time <= TIME_MS_MAX:
        return Rejected(event.id, f"{path}.time: expected a time between 1970 and 9999")
    return Checked(tenant, event.id, event.type, event.data, time, event.actor, event.readers, raw, path)


def in_words(message: str, path: str) -> str:
    """msgspec's message in our form: `$[3].data.id: expected int or str`."""
    found = _AT.match(message)
    words, at = (message, None) if found is None else (found["words"], found["path"])
    path += (at or "$").removeprefix("$")
    if missing := _MISSING.match(words):
        return f"{path}.{missing['name']}: missing"
    if expected := _EXPECTED.match(words):
        return f"{path}: expected {expected['want'].replace('`', '').replace(' | ', ' or ')}"
    return f"{path}: {words[:1].lower()}{words[1:]}"


def _id_of(raw: bytes) -> str | None:
    try:
        return _DECODE_ID(raw).id
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
