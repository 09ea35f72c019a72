"""Which webhooks want a portal event, and may know of it; pure, so that "why was this sent?" can be asked again later.

Access, the first that applies decides: a webhook of the portal itself may. Its owner did it: may. Owner unknown,
terminated or a guest: may not. A plugin says no: may not. The readers name the owner, a group of theirs, their role
or everyone: may, otherwise not. Without readers: admins only.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.directory import Tenant
from core.model.webhook import Webhook
from core.people import People, Person


def candidates(
    tenant: Tenant,
    trigger: str,
    targets: Sequence[int | str],
    actor: str | None,
    readers: Sequence[str] | None,
) -> list[tuple[Webhook, Person | None]]:
    """Webhooks that want it and may know; with the owner where a plugin may still refuse, else None."""
    found: list[tuple[Webhook, Person | None]] = []
    for webhook in tenant.wanting(trigger, targets):
        owner_id = webhook.owner
        if owner_id is None or (actor is not None and owner_id == actor):
            found.append((webhook, None))
            continue
        owner = tenant.people.person(owner_id)
        if owner is not None and named_by(owner, readers) is not None:
            found.append((webhook, owner))
    return found


def named_by(owner: Person, readers: Sequence[str] | None) -> str | None:
    """The reader that names *owner*, who is known and did not do it; None: they may not know."""
    if owner.status == "terminated" or owner.role == "guest":
        return None
    if readers is None:
        return "role:admin" if owner.role == "admin" else None
    for reader in readers:
        kind, _, name = reader.partition(":")
        if (
            (kind == "role" and name == owner.role)
            or (kind == "user" and name == owner.id)
            or (kind == "group" and name in owner.groups)
            or reader == "everyone"
        ):
            return reader
    return None


def grounds(webhook: Webhook, people: People, actor: str | None, readers: Sequence[str] | None) -> str | None:
    """Why a webhook may know of an event, in words, as long as no plugin says no; None: it may not."""
    if webhook.owner is None:
        return "it belongs to the portal itself"
    if webhook.owner == actor:
        return f"its owner {webhook.owner} did it"
    owner = people.person(webhook.owner)
    reader = None if owner is None else named_by(owner, readers)
    if reader is None:
        return None
    if readers is None:
        return f"its owner {webhook.owner} is an admin, and no readers were named"
    return f"its owner {webhook.owner} is among the readers ({reader})"
