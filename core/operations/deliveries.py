"""Operations on many deliveries: list them, newest first; count them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from core.clock import to_iso
from core.errors import InvalidInputError
from core.limits import LIST_MAX
from core.model.delivery import Redelivery
from core.operations.operation import Operation
from core.operations.selection import Selection

if TYPE_CHECKING:  # as in operation.py
    from core.history_entries import Entry
    from core.office import Office


class ListDeliveries(Selection, frozen=True):
    """The newest *limit* of those that are meant; with *before*, of those with smaller numbers."""

    limit: int = 20


class DeliveryListed(msgspec.Struct, frozen=True):
    """A delivery in a list. `event` is the number of its portal event, `event_id` what the portal calls that, `targets`
    what it is about. `status` is the last answer's; `next_at` when the next attempt is due, `due_for_ms` for how long
    it has been due. `redelivery_of` is the number of the delivery that somebody asked to have again."""

    id: int
    webhook: int
    state: str
    trigger: str
    tenant: str
    event: int
    event_id: str
    targets: tuple[int | str, ...]
    attempts: int
    status: int | None
    created_at: str
    ended_at: str | None
    next_at: str | None
    due_for_ms: int | None
    redelivery_of: int | None


class DeliveriesListed(msgspec.Struct, frozen=True):
    """`looked_to`: only those from this number on were looked at, and there are others before; None: there are none.
    `behind`: so many of the newest recorded events were not looked at, because the views do not have them yet."""

    deliveries: list[DeliveryListed]
    looked_to: int | None
    behind: int = 0


class CountDeliveries(Selection, frozen=True):
    """How many are meant."""


class DeliveriesCounted(msgspec.Struct, frozen=True):
    """`looked_to` and `behind` as in a list: what was not looked at is not counted."""

    count: int
    looked_to: int | None
    behind: int = 0


def listed(entry: Entry, now_ms: int) -> DeliveryListed:
    due = entry.next_due
    return DeliveryListed(
        id=entry.number,
        webhook=entry.webhook,
        state=entry.state,
        trigger=entry.trigger,
        tenant=entry.tenant,
        event=entry.event,
        event_id=entry.event_id,
        targets=entry.targets,
        attempts=entry.attempts,
        status=entry.status,
        created_at=to_iso(entry.created_at),
        ended_at=None if entry.ended_at is None else to_iso(entry.ended_at),
        next_at=None if due is None else to_iso(due),
        due_for_ms=None if due is None or due > now_ms else now_ms - due,
        redelivery_of=entry.cause.of if isinstance(entry.cause, Redelivery) else None,
    )


async def _list(office: Office, request: ListDeliveries) -> DeliveriesListed:
    if not 1 <= request.limit <= LIST_MAX:
        raise InvalidInputError(f"a list has 1 to {LIST_MAX} deliveries", limit="LIST_MAX")
    from core.operations.selected import found, meant

    asked = await meant(office, request)
    entries, looked_to = await found(office, asked, request.limit)
    now = office.clock.now_ms()
    return DeliveriesListed([listed(entry, now) for entry in entries], looked_to, asked.behind)


async def _count(office: Office, request: CountDeliveries) -> DeliveriesCounted:
    from core.operations.selected import counted, meant

    asked = await meant(office, request)
    return DeliveriesCounted(*await counted(office, asked), asked.behind)


LIST = Operation("deliveries.list", ListDeliveries, DeliveriesListed, _list)
COUNT = Operation("deliveries.count", CountDeliveries, DeliveriesCounted, _count)
