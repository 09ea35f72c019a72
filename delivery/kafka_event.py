"""A record of Kafka, made into portal events, or into what makes it none. Pure.

The forms are those of HTTP, told apart by the header `content-type`: plain events, an array or lines of them, and
CloudEvents, structured, batched, or binary (`ce_` headers, as CloudEvents' Kafka binding has them). Without that header
a record is looked at: what has a `specversion` is a CloudEvent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from core import cloud_event
from core.errors import InvalidInputError
from core.forms import form_of, told_by_looking
from core.incoming import DEFAULT_TENANT, Checked, Rejected
from core.limits import REQUEST_BYTES_MAX, TENANT_CHARS_MAX
from core.wire.trace import HEADER, context_of
from delivery.kafka.records import Record

PREFIX = "ce_"
"""Of the headers that hold the attributes of a CloudEvent in the binary mode."""
MANDATORY = frozenset(f"{PREFIX}{name}" for name in cloud_event.MANDATORY)
"""One of them is enough to be told what the others lack."""
TENANT = "{tenant}"
"""Stands in a topic's name for the tenant that its events belong to."""

_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)


class TenantRules:
    """Which topics are bound to a tenant: those whose names are like `portal.events.{tenant}`."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        """InvalidInputError for a pattern that does not name `{tenant}` once."""
        self._found: dict[str, str | None] = {}
        self._forms: list[re.Pattern[str]] = []
        for pattern in patterns:
            before, placeholder, behind = pattern.partition(TENANT)
            if not placeholder or TENANT in behind:
                raise InvalidInputError(f"{pattern!r} binds no tenant: write it like portal.events.{TENANT}")
            self._forms.append(re.compile(f"{re.escape(before)}(.+){re.escape(behind)}", re.DOTALL))

    def tenant(self, topic: str) -> str | None:
        """Whose events come from *topic*; None: each event says whose it is. The first rule that fits decides."""
        if topic not in self._found:
            fits = (form.fullmatch(topic) for form in self._forms)
            self._found[topic] = next((fit[1] for fit in fits if fit is not None), None)
        return self._found[topic]


def events_of_record(record: Record, tenant: str | None) -> list[Checked | Rejected]:
    """The events of a record, in its order, each with the record's place as its source. What is wrong with the record
    as a whole is one that is rejected. *tenant*: whose the topic is."""
    try:
        events = _events(record, tenant)
    except InvalidInputError as error:
        said = str(error).replace("the request is", "the record is").replace("in one request", "in one record")
        return [Rejected(None, said, error.limit, "not_json" if "is not JSON" in said else "malformed")]
    source = ("kafka", record.topic, record.partition, record.offset)
    # One that is not valid is never an error.
    context = context_of((_last(record, HEADER) or b"").decode(errors="replace"))
    return [event if isinstance(event, Rejected) else _placed(event, source, context) for event in events]


def tenant_of(event: Checked | Rejected, bound: str | None) -> str:
    """Whose an event is, or is taken to be, that came from a topic that is *bound* to a tenant."""
    return event.tenant if isinstance(event, Checked) else bound or DEFAULT_TENANT


def _placed(event: Checked, source: tuple[str | int, ...], context: str | None) -> Checked:
    """The event with its source, and in the record's trace if it names none of its own."""
    return msgspec.structs.replace(event, source=source, traceparent=event.traceparent or context)


def _events(record: Record, tenant: str | None) -> list[Checked | Rejected]:
    value = record.value
    if value is None:
        raise InvalidInputError("the record has no value")
    if len(value) > REQUEST_BYTES_MAX:
        said = f"{len(value)} bytes in one record, send at most {REQUEST_BYTES_MAX} (REQUEST_BYTES_MAX)"
        raise InvalidInputError(said, limit="REQUEST_BYTES_MAX")
    if tenant is not None and len(tenant) > TENANT_CHARS_MAX:
        said = f"the topic names a tenant of more than {TENANT_CHARS_MAX} characters (TENANT_CHARS_MAX)"
        raise InvalidInputError(said, limit="TENANT_CHARS_MAX")
    header = _last(record, "content-type")
    content_type = None if header is None else _decoded("content-type", header)
    kind = "" if content_type is None else content_type.partition(";")[0].strip().lower()
    is_binary = any(name.lower() in MANDATORY for name, _ in record.headers)
    if is_binary and not kind.startswith("application/cloudevents"):
        return [cloud_event.binary(_attributes(record), content_type, value, tenant, PREFIX)]
    if content_type is None:
        return told_by_looking(value, tenant)
    charset = _CHARSET.search(content_type)
    return form_of(kind, None if charset is None else charset[1])(value, tenant)


def _attributes(record: Record) -> dict[str, str]:
    """As header values they are UTF-8, and, other than over HTTP, nothing else."""
    attributes: dict[str, str] = {}
    for said, value in record.headers:
        header = said.lower()
        if header.startswith(PREFIX):
            name = header.removeprefix(PREFIX)
            if name in attributes:
                raise InvalidInputError(f"the header {header} stands there twice")
            attributes[name] = _decoded(header, value)
    return attributes


def _last(record: Record, name: str) -> bytes | None:
    """The value of the last header of this name, however it is capitalised."""
    return next((value for header, value in reversed(record.headers) if header.lower() == name), None)


def _decoded(header: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeError:
        raise InvalidInputError(f"the header {header} is not UTF-8") from None
