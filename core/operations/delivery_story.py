"""The operation that tells the whole story of one delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

import msgspec

from core.clock import to_iso
from core.errors import LedgerError, NotFoundError
from core.history_entries import get, redeliveries
from core.history_question import NUMBER_MAX
from core.limits import REDELIVERIES_TOLD_MAX
from core.model.delivery import Created
from core.model.portal_event import Received
from core.model.webhook import Webhook, WebhookEvent, fold
from core.office import Office
from core.operations.operation import Operation, reach
from core.operations.telling import DeliveryTold, RedeliveryTold, Teller, attempts_of
from core.story import Story, story
from core.why import why


class ShowDelivery(msgspec.Struct, frozen=True):
    """*id* is the delivery's number."""

    id: int


async def _show(office: Office, request: ShowDelivery) -> DeliveryTold:
    await reach(office, office.writer.head)
    return await asyncio.get_running_loop().run_in_executor(office.reading, _told, office, request.id)


def _told(office: Office, number: int) -> DeliveryTold:
    """Read from the ledger; of the history only what was redelivered of it. Blocks."""
    if not 0 < number <= NUMBER_MAX:
        raise NotFoundError(f"there is no delivery {number}")
    found = story(office.reader, number)
    stream = office.directory.by_number[_created(found).webhook].id
    positions, versions = _versions(office, stream)
    teller = Teller(
        found,
        versions,
        _secrets(office, stream, found),
        _why(office, found, positions, versions),
        _redeliveries(office, number),
        office.clock.now_ms(),
    )
    return teller.tell()


def _created(found: Story) -> Created:
    created = found.steps[0].event
    assert isinstance(created, Created)
    return created


def _versions(office: Office, stream: bytes) -> tuple[dict[int, int], dict[int, Webhook]]:
    """The delivery's webhook as it was in each of its versions, and the position of each."""
    known: Webhook | None = None
    positions: dict[int, int] = {}
    versions: dict[int, Webhook] = {}
    for position, id, version, event in office.reader.stream(stream):
        known = versions[version] = fold(known, id, version, position, cast(WebhookEvent, event))
        positions[version] = position
    return positions, versions


def _secrets(office: Office, stream: bytes, found: Story) -> dict[bytes, str]:
    """The secrets that its attempts were signed with, but for those that were forgotten."""
    secrets: dict[bytes, str] = {}
    for id in {attempt.secret for attempt in attempts_of(found)}:
        sealed = office.reader.secret(id)
        if sealed is not None:
            try:
                secrets[id] = office.master_key.open(sealed, stream)
            except LedgerError:
                continue
    return secrets


def _why(
    office: Office, found: Story, positions: Mapping[int, int], versions: Mapping[int, Webhook]
) -> tuple[str, ...]:
    """Why the webhook heard of the event when that was accepted."""
    received, position = found.received.event, found.received.position
    assert isinstance(received, Received)
    before = [version for version, at in positions.items() if at < position]
    if not before:
        return ()
    return why(office.reader, position, received, versions[max(before)])


def _redeliveries(office: Office, number: int) -> list[RedeliveryTold]:
    """What the history has of later deliveries of the same; the newest of them, where there are many."""
    told = []
    for again in redeliveries(office.views, [number]).get(number, ())[-REDELIVERIES_TOLD_MAX:]:
        entry = get(office.views, again)
        if entry is not None and entry.cause is not None:
            told.append(RedeliveryTold(again, entry.state, to_iso(entry.created_at), entry.cause.by))
    return told


SHOW = Operation("deliveries.show", ShowDelivery, DeliveryTold, _show)
