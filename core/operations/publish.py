"""The operation that publishes: one batch of portal events in, what became of each out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from core.errors import InvalidInputError
from core.incoming import Rejected, checked
from core.limits import REQUEST_EVENTS_MAX, TENANT_CHARS_MAX
from core.operations.operation import Operation

if TYPE_CHECKING:  # see `core.operations.operation`
    from core.office import Office

SOURCE = ("operator",)
"""Where these events come from, as `Received.source` keeps it."""


class Publish(msgspec.Struct, frozen=True):
    """Events in the plain form, all of *tenant*."""

    tenant: str
    events: list[msgspec.Raw]


class Refused(msgspec.Struct, frozen=True):
    """One that was rejected: which of the batch, counted from 0, and why."""

    index: int
    reason: str


class Published(msgspec.Struct, frozen=True):
    """What became of a batch, after its commit."""

    accepted: int
    duplicates: int
    refused: list[Refused]


async def _publish(office: Office, request: Publish) -> Published:
    if not 1 <= len(request.tenant) <= TENANT_CHARS_MAX:
        raise InvalidInputError(f"a tenant has 1 to {TENANT_CHARS_MAX} characters", limit="TENANT_CHARS_MAX")
    if len(request.events) > REQUEST_EVENTS_MAX:
        raise InvalidInputError(f"more than {REQUEST_EVENTS_MAX} events in one batch", limit="REQUEST_EVENTS_MAX")
    events = [checked(bytes(raw), request.tenant, "$") for raw in request.events]
    results = await office.intake.accept(request.tenant, events, SOURCE)
    refused = [Refused(index, result.error) for index, result in enumerate(results) if isinstance(result, Rejected)]
    duplicates = sum(not isinstance(result, Rejected) and result.is_duplicate for result in results)
    return Published(len(results) - len(refused) - duplicates, duplicates, refused)


PUBLISH = Operation("event.publish", Publish, Published, _publish)
