"""Operations that change webhooks: set fields of one, or its secret; enable, disable, delete several, all or none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from core.model import webhook
from core.model.event import OPERATOR
from core.model.webhook import Webhook
from core.operations.operation import Recording, reach
from core.operations.webhooks import AGAIN, warnings_of
from core.webhook_fields import Fields

if TYPE_CHECKING:  # as in operation.py
    from core.fates import Fate
    from core.ledger.unit import Recorded
    from core.office import Office
    from core.once import Asked


class ChangeWebhook(Fields, frozen=True, kw_only=True):
    """*id* is the webhook's number. *secret* None: we make a new one; left out: it stays."""

    id: int
    secret: str | UnsetType | None = UNSET


class FieldChange(msgspec.Struct, frozen=True):
    """One field of a webhook that became something else."""

    field: str
    before: Any = msgspec.field(name="from")
    after: Any = msgspec.field(name="to")


class ChangedWebhook(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became different: nothing, where it was so already. `verifier` and `secret` as for a new webhook."""

    id: int
    name: str
    changes: list[FieldChange]
    is_secret_reset: bool = msgspec.field(name="secret_reset")
    verifier: str | None = None
    secret: str | None = None
    warnings: tuple[str, ...] = ()
    note: str | None = None


class EnableWebhooks(msgspec.Struct, frozen=True):
    """*ids* are the webhooks' numbers."""

    ids: tuple[int, ...]


class DisableWebhooks(EnableWebhooks, frozen=True):
    """*ids* are the webhooks' numbers."""


class DeleteWebhooks(EnableWebhooks, frozen=True):
    """*ids* are the webhooks' numbers."""


class SwitchedWebhook(msgspec.Struct, frozen=True):
    """A webhook that was named. `is_changed` False: it was so already.

    Where it was not, `cancelled` are its deliveries that were cancelled since it was last disabled, and `waiting` those
    that had not ended. None: not known any more.
    """

    id: int
    name: str
    is_changed: bool = msgspec.field(name="changed")
    cancelled: int | None = None
    waiting: int | None = None


async def _change(office: Office, request: ChangeWebhook, asked: Asked | None) -> ChangedWebhook:
    made = await office.webhooks.change(request.id, request, secret=request.secret, by=OPERATOR, asked=asked)
    known, shown = made.webhook, made.shown
    return ChangedWebhook(
        known.number,
        known.name,
        [FieldChange(field, *pair) for field, pair in made.changes.items()],
        shown is not None,
        None if shown is None else shown.verifier,
        None if shown is None else shown.secret,
        warnings_of(office, known) if "owner" in made.changes else (),
    )


def _changed_again(office: Office, request: ChangeWebhook, recorded: Sequence[Recorded]) -> ChangedWebhook:
    events = [one.event for one in recorded]
    changes = next((event.changes for event in events if isinstance(event, webhook.Changed)), {})
    is_reset = any(isinstance(event, webhook.SecretReset) for event in events)
    return ChangedWebhook(
        request.id,
        office.directory.by_number[request.id].name,
        [FieldChange(field, *pair) for field, pair in changes.items()],
        is_reset,
        note=AGAIN.format(request.id) if is_reset else None,
    )


async def _enable(office: Office, request: EnableWebhooks, asked: Asked | None) -> list[SwitchedWebhook]:
    found = await _fates(office, request)
    changed = await office.webhooks.switch(*request.ids, enabled=True, by=OPERATOR, asked=asked)
    return _switched(office, request, changed, found)


async def _disable(office: Office, request: DisableWebhooks, asked: Asked | None) -> list[SwitchedWebhook]:
    found = await _fates(office, request)
    changed = await office.webhooks.switch(*request.ids, enabled=False, by=OPERATOR, asked=asked)
    return _switched(office, request, changed, found)


async def _delete(office: Office, request: DeleteWebhooks, asked: Asked | None) -> list[SwitchedWebhook]:
    found = await _fates(office, request)
    changed = await office.webhooks.delete(*request.ids, by=OPERATOR, asked=asked)
    return _switched(office, request, changed, found)


async def _fates(office: Office, request: EnableWebhooks) -> Mapping[int, Fate]:
    """How their deliveries fare just before: once a webhook is disabled, the outbox may be faster than we can look."""
    from core.fates import fates

    known = [office.webhooks.get(number) for number in _once(request)]
    await reach(office, office.writer.head)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(office.reading, fates, office.views, office.reader, known)


def _switched(
    office: Office, request: EnableWebhooks, changed: Sequence[Webhook], found: Mapping[int, Fate]
) -> list[SwitchedWebhook]:
    numbers = {known.number for known in changed}
    return [
        _one(office, number, *((True, *found[number]) if number in numbers else (False,))) for number in _once(request)
    ]


def _switched_again(office: Office, request: EnableWebhooks, recorded: Sequence[Recorded]) -> list[SwitchedWebhook]:
    changed = {office.directory.webhooks[one.stream].number for one in recorded}
    return [_one(office, number, number in changed) for number in _once(request)]


def _once(request: EnableWebhooks) -> Sequence[int]:
    return list(dict.fromkeys(request.ids))


def _one(
    office: Office, number: int, is_changed: bool, cancelled: int | None = None, waiting: int | None = None
) -> SwitchedWebhook:
    return SwitchedWebhook(number, office.directory.by_number[number].name, is_changed, cancelled, waiting)


CHANGE = Recording("webhooks.change", ChangeWebhook, ChangedWebhook, _change, _changed_again)
ENABLE = Recording("webhooks.enable", EnableWebhooks, list[SwitchedWebhook], _enable, _switched_again)
DISABLE = Recording("webhooks.disable", DisableWebhooks, list[SwitchedWebhook], _disable, _switched_again)
DELETE = Recording("webhooks.delete", DeleteWebhooks, list[SwitchedWebhook], _delete, _switched_again)
