"""Operations on webhooks: make one, list them, show one. Those that change one are in webhook_changes.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from core.clock import to_iso
from core.model import webhook
from core.model.event import OPERATOR
from core.model.webhook import Webhook
from core.operations.operation import Operation, Recording, reach

if TYPE_CHECKING:  # as in operation.py
    from core.ledger.unit import Recorded
    from core.office import Office
    from core.once import Asked

AGAIN = (
    "this was done before, under the same key, and its secret was shown then; whoever does not have it makes a new "
    "one: `hookledger webhooks change {} --new-secret`"
)


class CreateWebhook(msgspec.Struct, frozen=True):
    """*owner* None: the portal itself. No *triggers*: everything. *secret* None: we make one.
    *schedule_s*: seconds before each retry; None: the service's own."""

    name: str
    url: str
    triggers: tuple[str, ...] = ()
    target: str | None = None
    owner: str | None = None
    tenant: str = "1"
    secret: str | None = None
    ssl: bool = True
    enabled: bool = True
    schedule_s: tuple[int, ...] | None = None


class CreatedWebhook(msgspec.Struct, frozen=True, omit_defaults=True):
    """`verifier` is its secret as Standard Webhooks verifiers take it; `secret` is there where we made it.
    Both are shown this once: neither is there where it was made before under the same key, and `note` says so."""

    id: int
    name: str
    url: str
    verifier: str | None = None
    secret: str | None = None
    warnings: tuple[str, ...] = ()
    note: str | None = None


class ListWebhooks(msgspec.Struct, frozen=True):
    """*tenant* None: of all."""

    tenant: str | None = None


class ShowWebhook(msgspec.Struct, frozen=True):
    """*id* is the webhook's number."""

    id: int


class WebhookShown(msgspec.Struct, frozen=True):
    """A webhook as people see it. `owner` None: the portal itself. No `triggers`: everything."""

    id: int
    tenant: str
    name: str
    url: str
    triggers: tuple[str, ...]
    target: str | None
    owner: str | None
    ssl: bool
    enabled: bool
    disabled_reason: str | None
    schedule_s: tuple[int, ...] | None
    created_at: str
    created_by: str | None
    modified_at: str | None
    modified_by: str | None


def shown(known: Webhook) -> WebhookShown:
    return WebhookShown(
        id=known.number,
        tenant=known.tenant,
        name=known.name,
        url=known.url,
        triggers=known.triggers,
        target=known.target,
        owner=known.owner,
        ssl=known.ssl,
        enabled=known.enabled,
        disabled_reason=known.disabled_reason,
        schedule_s=known.schedule_s,
        created_at=to_iso(known.created_at),
        created_by=known.created_by,
        modified_at=None if known.modified_at is None else to_iso(known.modified_at),
        modified_by=known.modified_by,
    )


def warnings_of(office: Office, known: Webhook) -> tuple[str, ...]:
    """Why a webhook that is as it was wanted may be sent nothing all the same."""
    if known.owner is None:
        return ()
    owner = office.directory.tenant(known.tenant).people.person(known.owner)
    only = f"webhook {known.number} is sent only what they do themselves"
    if owner is None:
        return (
            f"nobody of tenant {known.tenant} is known as {known.owner!r} yet: until a portal event or an import tells "
            f"who that is, {only}",
        )
    if owner.status == "terminated" or owner.role == "guest":
        return (f"{known.owner!r} is {'terminated' if owner.status == 'terminated' else 'a guest'}: {only}",)
    return ()


async def _create(office: Office, request: CreateWebhook, asked: Asked | None) -> CreatedWebhook:
    made = await office.webhooks.create(
        tenant=request.tenant,
        name=request.name,
        url=request.url,
        triggers=request.triggers,
        target=request.target,
        owner=request.owner,
        secret=request.secret,
        ssl=request.ssl,
        enabled=request.enabled,
        schedule_s=request.schedule_s,
        by=OPERATOR,
        asked=asked,
    )
    known = made.webhook
    await reach(office, known.number)
    return CreatedWebhook(known.number, known.name, known.url, made.verifier, made.secret, warnings_of(office, known))


def _created_again(_: Office, __: CreateWebhook, recorded: Sequence[Recorded]) -> CreatedWebhook:
    number, event = recorded[0].position, recorded[0].event
    assert isinstance(event, webhook.Created)
    return CreatedWebhook(number, event.name, event.url, note=AGAIN.format(number))


async def _list(office: Office, request: ListWebhooks) -> list[WebhookShown]:
    return [shown(known) for known in office.webhooks.all(request.tenant)]


async def _show(office: Office, request: ShowWebhook) -> WebhookShown:
    return shown(office.webhooks.get(request.id))


CREATE = Recording("webhooks.create", CreateWebhook, CreatedWebhook, _create, _created_again, begins=True)
LIST = Operation("webhooks.list", ListWebhooks, list[WebhookShown], _list)
SHOW = Operation("webhooks.show", ShowWebhook, WebhookShown, _show)
