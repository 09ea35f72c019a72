"""What a portal sent, from bytes to checked events, or to an error that names its path. Pure.

One event in the plain form, a JSON array of them, or lines of them (NDJSON). What is wrong with one entry is that
entry's error, as long as it can be told apart from the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from core.elements import SPACE, Elements, is_deeper
from core.errors import InvalidInputError
from core.limits import (
    EVENT_ACTOR_CHARS_MAX,
    EVENT_BYTES_MAX,
    EVENT_DEPTH_MAX,
    EVENT_ID_CHARS_MAX,
    EVENT_READER_CHARS_MAX,
    EVENT_READERS_MAX,
    EVENT_TYPE_CHARS_MAX,
    REQUEST_EVENTS_MAX,
    TENANT_CHARS_MAX,
)
from core.trigger import ROLES, PortalEvent
from core.wire.trace import context_of

READER = re.compile(rf"(?:everyone|(?:user|group):.+|role:(?:{'|'.join(ROLES)}))\Z", re.DOTALL)
BRACKETS_MAX = 100_000
"""In an array that does not decode as a whole; what holds more is not told apart."""
DEFAULT_TENANT = "1"
"""Whose an event is that names no tenant, where nobody else does."""
TIME_MS_MAX = 253_402_300_799_999
"""The last millisecond of the year 9999."""


Decoded = TypeVar("Decoded")

Source = tuple[str | int, ...]
"""Where an event came from, as `Received.source` keeps it."""


class Checked(msgspec.Struct, frozen=True, gc=False):
    """An event whose members have the right types. `time` None: the portal did not say; `raw` is what it sent,
    `path` its place in the request; `traceparent` its trace, if it says one that is valid; `source` where it came
    from, if not from where the others of its call did."""

    tenant: str
    id: str
    type: str
    data: dict[str, Any]
    time: int | None
    actor: str | None
    readers: tuple[str, ...] | None
    raw: bytes
    path: str
    traceparent: str | None = None
    source: Source | None = None

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
    """Not an event: `error` names the path and what was expected; `id` None where it could not be read. `limit` is the
    name of the limit it met, if it met one; `kind` is for counting those that met none."""

    id: str | None
    error: str
    limit: str | None = None
    kind: Literal["malformed", "not_json", "not_yours", "unreadable"] = "malformed"


class Plain(msgspec.Struct):
    """The plain form of a portal event; members that are not named here are kept as they are."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_ID_CHARS_MAX)]
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_TYPE_CHARS_MAX)]
    data: dict[str, Any]
    tenant: Annotated[str, msgspec.Meta(min_length=1, max_length=TENANT_CHARS_MAX)] | None = None
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    actor: Annotated[str, msgspec.Meta(max_length=EVENT_ACTOR_CHARS_MAX)] | None = None
    readers: (
        Annotated[
            tuple[Annotated[str, msgspec.Meta(max_length=EVENT_READER_CHARS_MAX)], ...],
            msgspec.Meta(max_length=EVENT_READERS_MAX),
        ]
        | None
    ) = None
    traceparent: Any = None


class _Id(msgspec.Struct):
    id: str


_DECODE = msgspec.json.Decoder(Plain).decode
_DECODE_ID = msgspec.json.Decoder(_Id).decode
_DECODE_RAW = msgspec.json.Decoder(msgspec.Raw).decode
_DECODE_LIST = msgspec.json.Decoder(list[msgspec.Raw]).decode
_AT = re.compile(r"(?P<words>.*?)(?: - at `(?P<path>[^`]*)`)?\Z", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`")
_EXPECTED = re.compile(r"Expected (?P<want>.*?)(?:, got .*)?\Z", re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL)

LENGTHS: Mapping[str, str] = {
    "id": "EVENT_ID_CHARS_MAX",
    "type": "EVENT_TYPE_CHARS_MAX",
    "tenant": "TENANT_CHARS_MAX",
    "actor": "EVENT_ACTOR_CHARS_MAX",
    "readers": "EVENT_READERS_MAX",
    "readers[": "EVENT_READER_CHARS_MAX",
}
"""The limit on each member's length."""
_TOO_DEEP = f"nested more than {EVENT_DEPTH_MAX} deep: send it flatter (EVENT_DEPTH_MAX)"
_HALF_PAIR = "half of a surrogate pair is no character: escape both halves, or neither"


def events_of(body: bytes, tenant: str | None) -> list[Checked | Rejected]:
    """The events of a request, in its order. InvalidInputError when the body as a whole is not JSON, or too many."""
    text = body.strip(SPACE)
    if text.startswith(b"["):
        return [checked(raw, tenant, f"$[{index}]") for index, raw in enumerate(elements_of(text))]
    check_json(text)
    return [checked(text, tenant, "$")]


def lines_of(body: bytes, tenant: str | None) -> list[Checked | Rejected]:
    """The events of a request that has one a line (NDJSON); lines without anything are passed over."""
    lines = [line for line in body.split(b"\n") if line.strip(SPACE)]
    _count(len(lines))
    return [checked(line.strip(SPACE), tenant, f"$[{index}]") for index, line in enumerate(lines)]


def check_json(text: bytes) -> None:
    """InvalidInputError when a request is not JSON."""
    fault = _fault(text)
    if fault is not None:
        hint = "; several events are an array, or lines of Content-Type application/x-ndjson" if b"\n" in text else ""
        raise InvalidInputError(f"the request is not JSON: {fault}{hint}")


def elements_of(text: bytes) -> list[bytes]:
    """The elements of an array. InvalidInputError when it is not one, or of too many."""
    try:
        raws = _DECODE_LIST(text)
    except (msgspec.DecodeError, RecursionError) as error:
        elements = _told_apart(text)
        if elements is None:
            raise InvalidInputError(f"the request is not JSON: {_in_short(error)}") from None
    else:
        _count(len(raws))
        elements = [bytes(raw) for raw in raws]
    return elements


def _count(events: int) -> None:
    if events > REQUEST_EVENTS_MAX:
        raise InvalidInputError(
            f"more than {REQUEST_EVENTS_MAX} events in one request: send them in several", limit="REQUEST_EVENTS_MAX"
        )


def _told_apart(text: bytes) -> list[bytes] | None:
    """The elements of an array of which some, though JSON in form, cannot be decoded; None when it is not JSON."""
    if text.count(b"[") + text.count(b"{") > BRACKETS_MAX:
        return None
    cut, elements = Elements(len(text)), list[bytes]()
    for start in range(1, len(text), EVENT_BYTES_MAX):
        elements += [raw for _, raw in cut.feed(text[start : start + EVENT_BYTES_MAX]) if raw is not None]
        _count(len(elements))
    is_array = text.endswith(b"]") and cut.is_whole and not cut.behind and all(_fault(raw) is None for raw in elements)
    return elements if is_array else None


def _fault(raw: bytes) -> str | None:
    """Why this is not JSON; None when it is, be it too deep or with halves of characters to be decoded."""
    try:
        _DECODE_RAW(raw)
    except msgspec.DecodeError as error:
        return None if is_json(_ESCAPE.sub(_whole, raw)) else _in_short(error)
    except RecursionError:
        pass
    return None


def is_json(raw: bytes) -> bool:
    """Whether these bytes are one JSON value, be it too deep to be decoded."""
    try:
        _DECODE_RAW(raw)
    except msgspec.DecodeError:
        return False
    except RecursionError:
        pass
    return True


def _in_short(error: Exception) -> str:
    return str(error).removeprefix("JSON is malformed: ").replace("Input data was truncated", "it ends too early")


def _whole(escape: re.Match[bytes]) -> bytes:
    """An escape, but that of a surrogate replaced by one of a character."""
    return rb"\ufffd" if len(escape[0]) > 2 else escape[0]


def checked(raw: bytes, tenant: str | None, path: str) -> Checked | Rejected:
    """One event; `path` is its place in the request, for errors. *tenant* is whose events the caller may send; None:
    each event says whose it is."""
    event = decoded(raw, path, _DECODE)
    if isinstance(event, Rejected):
        return event
    if tenant is None:
        tenant = event.tenant or DEFAULT_TENANT
    elif event.tenant is not None and event.tenant != tenant:
        return Rejected(event.id, f"{path}.tenant: not yours", kind="not_yours")
    for index, reader in enumerate(event.readers or ()):
        if READER.match(reader) is None:
            return Rejected(
                event.id, f"{path}.readers[{index}]: expected everyone, user:ID, group:ID or role:{'|'.join(ROLES)}"
            )
    time = None if event.time is None else round(event.time.timestamp() * 1000)
    if time is not None and not 0 <= time <= TIME_MS_MAX:
        return Rejected(event.id, f"{path}.time: expected a time between 1970 and 9999")
    trace = None if event.traceparent is None else context_of(event.traceparent)
    return Checked(tenant, event.id, event.type, event.data, time, event.actor, event.readers, raw, path, trace)


def decoded(
    raw: bytes, path: str, decode: Callable[[bytes], Decoded], lengths: Mapping[str, str] = LENGTHS
) -> Decoded | Rejected:
    """What *decode* makes of the bytes of one event, or of a part of it; or what makes them none.

    *lengths* names the limit on the length of each member, and as `member[` that of its elements.
    """
    if len(raw) > EVENT_BYTES_MAX:
        error = f"{path}: {len(raw)} bytes, send at most {EVENT_BYTES_MAX} (EVENT_BYTES_MAX)"
        return Rejected(_id_of(raw), error, "EVENT_BYTES_MAX")
    try:
        value = decode(raw)
        if not raw.isascii():
            raw.decode()  # members that are not decoded are kept as well
    except msgspec.ValidationError as error:
        return _wrong_member(_id_of(raw), in_words(str(error), path), path, lengths)
    except UnicodeDecodeError:
        return Rejected(_id_of(raw), f"{path}: not UTF-8", kind="not_json")
    except RecursionError:
        return Rejected(None, f"{path}: {_TOO_DEEP}", "EVENT_DEPTH_MAX")
    except msgspec.DecodeError as error:
        whole = _ESCAPE.sub(_whole, raw)
        id, fault = _id_of(whole), _HALF_PAIR if is_json(whole) else f"not JSON: {_in_short(error)}"
        return Rejected(None if id is None or "\ufffd" in id else id, f"{path}: {fault}", kind="not_json")
    if is_deeper(raw, EVENT_DEPTH_MAX):
        return Rejected(_id_of(raw), f"{path}: {_TOO_DEEP}", "EVENT_DEPTH_MAX")
    return value


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


def _wrong_member(id: str | None, error: str, path: str, lengths: Mapping[str, str]) -> Rejected:
    """With the name of the limit that was met, where it is one."""
    if " of length <= " not in error:
        return Rejected(id, error)
    name = re.split(r"(?<=\[)|:", error[len(path) + 1 :], maxsplit=1)[0]
    limit = lengths[name]
    return Rejected(id, f"{error} ({limit})", limit)


def _id_of(raw: bytes) -> str | None:
    try:
        return _DECODE_ID(raw).id
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
