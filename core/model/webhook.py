"""The aggregate Webhook: a URL with a secret, triggers, an owner, and maybe a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from core.model.event import Event

DisableReason = Literal["person", "gone", "failing"]

DISABLED_BECAUSE: Mapping[str, str] = {
    "person": "a person said so",
    "gone": "its receiver answered 410",
    "failing": "it has been failing for three days",
}
"""In words."""


class Created(Event):
    """`owner` None: the portal itself. `triggers` in the order they are sent; empty: everything.
    `secret` is the id of the sealed secret. `schedule_s`: seconds before each retry; None: the service's own."""

    by: str | None
    name: str
    url: str
    owner: str | None
    triggers: tuple[str, ...]
    target: str | None
    ssl: bool
    enabled: bool
    secret: bytes
    schedule_s: tuple[int, ...] | None = None


class Changed(Event):
    """`changes`: field → (from, to), of name, url, owner, triggers, target, ssl, schedule_s."""

    by: str | None
    changes: dict[str, tuple[Any, Any]]


class SecretReset(Event):
    """From here on requests are signed with another secret."""

    by: str | None
    secret: bytes


class Enabled(Event):
    """Matched again from here on."""

    by: str | None


class Disabled(Event):
    """`reason`: a person did it, its receiver answered 410 (`gone`), or failed for days (`failing`);
    `cause` is the position of the recorded event that led to it."""

    by: str | None
    reason: DisableReason
    cause: int | None = None


class Deleted(Event):
    """Gone for good; its history stays."""

    by: str | None


WebhookEvent = Created | Changed | SecretReset | Enabled | Disabled | Deleted


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook as its events made it. `number` is what people call it by: the position of its Created."""

    id: bytes
    number: int
    version: int
    tenant: str
    name: str
    url: str
    owner: str | None
    triggers: tuple[str, ...]
    target: str | None
    ssl: bool
    enabled: bool
    deleted: bool
    secret: bytes
    schedule_s: tuple[int, ...] | None
    created_at: int
    created_by: str | None
    modified_at: int | None
    modified_by: str | None
    enabled_position: int
    """Position of its creation or last Enabled: a reaction to anything older is refused."""
    enabled_at: int
    disabled_reason: DisableReason | None = None


def fold(webhook: Webhook | None, id: bytes, version: int, position: int, event: WebhookEvent) -> Webhook:
    """The webhook after one more event of its own."""
    if isinstance(event, Created):
        return Webhook(
            id=id,
            number=position,
            version=version,
            tenant=event.tenant,
            name=event.name,
            url=event.url,
            owner=event.owner,
            triggers=event.triggers,
            target=event.target,
            ssl=event.ssl,
            enabled=event.enabled,
            deleted=False,
            secret=event.secret,
            schedule_s=event.schedule_s,
            created_at=event.at,
            created_by=event.by,
            modified_at=None,
            modified_by=None,
            enabled_position=position,
            enabled_at=event.at,
        )
    if webhook is None:
        raise ValueError(f"the stream of webhook {id.hex()} does not begin with Created")
    changed: dict[str, Any] = {"version": version, "modified_at": event.at, "modified_by": event.by}
    match event:
        case Changed():
            changed |= {field: _typed(field, to) for field, (_, to) in event.changes.items()}
        case SecretReset():
            changed["secret"] = event.secret
        case Enabled():
            changed |= {
                "enabled": True,
                "enabled_position": position,
                "enabled_at": event.at,
                "disabled_reason": None,
            }
        case Disabled():
            changed |= {"enabled": False, "disabled_reason": event.reason}
        case Deleted():
            changed |= {"enabled": False, "deleted": True}
    return msgspec.structs.replace(webhook, **changed)


def _typed(field: str, value: Any) -> Any:
    """Arrays come back from msgpack as lists; a webhook keeps tuples."""
    return tuple(value) if field in ("triggers", "schedule_s") and value is not None else value
