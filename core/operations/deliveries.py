"""Operations on deliveries: list them, newest first; tell the whole story of one."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import cast

import msgspec

from core.clock import to_iso
from core.errors import InvalidInputError, LedgerError, NotFoundError
from core.history_entries import Entry, Wanted, page
from core.limits import LIST_MAX
from core.model.webhook import Webhook, WebhookEvent, fold
from core.office import Office
from core.operations.operation import Operation, reach
from core.operations.telling import DeliveryTold, Teller, attempts_of
from core.story import Story, story

NUMBER_MAX = 2**63 - 1
"""Positions are signed 64 bits on disk."""


class ListDeliveries(msgspec.Struct, frozen=True):
    """*webhook* None: of all. The newest *limit*; with *before*, of those with smaller numbers."""

    webhook: int | None = None
    tenant: str | None = None
    before: int | None = None
    limit: int = 20


class DeliveryListed(msgspec.Struct, frozen=True):
    """A delivery in a list. `event` is the number of its portal event, `event_id` what the portal calls that.
    `status` is the last answer's; `next_at` when the next attempt is due."""

    id: int
    webhook: int
    state: str
    trigger: str
    tenant: str
    event: int
    event_id: str
    attempts: int
    status: int | None
    created_at: str
    ended_at: str | None
    next_at: str | None


def listed(entry: Entry) -> DeliveryListed:
    return DeliveryListed(
        id=entry.number,
        webhook=entry.webhook,
        state=entry.state,
        trigger=entry.trigger,
        tenant=entry.tenant,
        event=entry.event,
        event_id=entry.event_id,
        attempts=entry.attempts,
        status=entry.status,
        created_at=to_iso(entry.created_at),
        ended_at=None if entry.ended_at is None else to_iso(entry.ended_at),
        next_at=None if entry.next_due is None else to_iso(entry.next_due),
    )


class ShowDelivery(msgspec.Struct, frozen=True):
    """*id* is the delivery's number."""

    id: int


async def _list(office: Office, request: ListDeliveries) -> list[DeliveryListed]:
    if not 1 <= request.limit <= LIST_MAX:
        raise InvalidInputError(f"a list has 1 to {LIST_MAX} deliveries", limit="LIST_MAX")
    if request.webhook is not None and request.webhook not in office.directory.by_number:
        raise NotFoundError(f"there is no webhook {request.webhook}")
    await reach(office, office.writer.head)
    before = None if request.before is None else min(request.before, NUMBER_MAX)
    wanted = Wanted(webhook=request.webhook, tenant=request.tenant, before_number=before, limit=request.limit)
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(office.reading, partial(page, office.views, office.reader, wanted))
    return [listed(entry) for entry in found]


async def _show(office: Office, request: ShowDelivery) -> DeliveryTold:
    return await asyncio.get_running_loop().run_in_executor(office.reading, _told, office, request.id)


def _told(office: Office, number: int) -> DeliveryTold:
    """Read from the ledger alone; blocks."""
    if not 0 < number <= NUMBER_MAX:
        raise NotFoundError(f"there is no delivery {number}")
    found = story(office.reader, number)
    return Teller(found, _versions(office, found), _secrets(office, found)).tell()


def _versions(office: Office, found: Story) -> dict[int, Webhook]:
    """The delivery's webhook as it was in each of its versions."""
    created = found.steps[0].event
    stream = office.directory.by_number[created.webhook].id  # type: ignore[attr-defined]
    known: Webhook | None = None
    versions: dict[int, Webhook] = {}
    for position, id, version, event in office.reader.stream(stream):
        known = versions[version] = fold(known, id, version, position, cast(WebhookEvent, event))
    return versions


def _secrets(office: Office, found: Story) -> dict[bytes, str]:
    """The secrets that its attempts were signed with, but for those that were forgotten."""
    stream = office.directory.by_number[found.steps[0].event.webhook].id  # type: ignore[attr-defined]
    secrets: dict[bytes, str] = {}
    for id in {attempt.secret for attempt in attempts_of(found)}:
        sealed = office.reader.secret(id)
        if sealed is not None:
            try:
                secrets[id] = office.master_key.open(sealed, stream)
            except LedgerError:
                continue
    return secrets


LIST = Operation("deliveries.list", ListDeliveries, list[DeliveryListed], _list)
SHOW = Operation("deliveries.show", ShowDelivery, DeliveryTold, _show)
