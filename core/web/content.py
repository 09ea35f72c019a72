"""Which of the forms of portal events a request is in: its Content-Type says it, and the headers of a CloudEvent."""

from __future__ import annotations

from aiohttp import web

from core import cloud_event
from core.errors import InvalidInputError
from core.forms import JSON, Read, form_of
from core.incoming import events_of

MANDATORY = tuple(f"ce-{name}" for name in cloud_event.MANDATORY)
"""Headers that make a request a CloudEvent in binary mode; one of them is enough to be told what the others lack."""


def reader_of(request: web.Request) -> Read:
    """How the body is to be read. HTTPUnsupportedMediaType when we do not know how."""
    if request.headers.get("Content-Type") == JSON[0] and not any(map(request.headers.__contains__, MANDATORY)):
        return events_of  # nearly all are this; the rest takes four times as long to find out
    kind = request.content_type
    if not kind.startswith("application/cloudevents") and any(name in request.headers for name in MANDATORY):
        return _binary(request)
    try:
        return form_of(kind, request.charset)
    except InvalidInputError as error:
        raise web.HTTPUnsupportedMediaType(reason=str(error)) from None


def _binary(request: web.Request) -> Read:
    attributes = cloud_event.header_attributes(request.headers.items())
    content_type = request.headers.get("Content-Type")
    return lambda body, tenant: [cloud_event.binary(attributes, content_type, body, tenant)]
