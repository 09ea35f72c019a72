"""Operations on webhooks: make one, list them, show one."""

from __future__ import annotations

import msgspec

from core.clock import to_iso
from core.model.event import OPERATOR
from core.model.webhook import Webhook
from core.office import Office
from core.operations.operation import Operation, reach


class CreateWebhook(msgspec.Struct, frozen=True):
    """*owner* None: the portal itself. No *triggers*: everything. *secret* None: we make one."""

    name: str
    url: str
    triggers: tuple[str, ...] = ()
    target: str | None = None
    owner: str | None = None
    tenant: str = "1"
    secret: str | None = None
    ssl: bool = True
    enabled: bool = True


class CreatedWebhook(msgspec.Struct, frozen=True, omit_defaults=True):
    """`verifier` is its secret as Standard Webhooks verifiers take it; `secret` is there where we made it.
    Both are shown this once."""

    id: int
    name: str
    url: str
    verifier: str
    secret: str | None = None


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


async def _create(office: Office, request: CreateWebhook) -> CreatedWebhook:
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
        by=OPERATOR,
    )
    known = made.webhook
    await reach(office, known.number)
    return CreatedWebhook(known.number, known.name, known.url, made.verifier, made.secret)


async def _list(office: Office, request: ListWebhooks) -> list[WebhookShown]:
    return [shown(known) for known in office.webhooks.all(request.tenant)]


async def _show(office: Office, request: ShowWebhook) -> WebhookShown:
    return shown(office.webhooks.get(request.id))


CREATE = Operation("webhooks.create", CreateWebhook, CreatedWebhook, _create, begins=True)
LIST = Operation("webhooks.list", ListWebhooks, list[WebhookShown], _list)
SHOW = Operation("webhooks.show", ShowWebhook, WebhookShown, _show)
