"""Why a webhook heard of a portal event, recomputed from the ledger as it was just before that event."""

from __future__ import annotations

from core.ledger.read import Reader
from core.ledger.unit import Recorded
from core.limits import READ_EVENTS_MAX
from core.matching import grounds
from core.model import group, person
from core.model.portal_event import Received
from core.model.webhook import Webhook
from core.people import People


def why(reader: Reader, position: int, received: Received, webhook: Webhook) -> tuple[str, ...]:
    """What the webhook asked for, and why it may know; *webhook* and people as they were before *position*, where the
    portal event stands. Blocks."""
    said = [f"it asks for {received.trigger}" if webhook.triggers else "it asks for everything"]
    if webhook.target is not None:
        said.append(f"it is about {webhook.target}, the webhook's target")
    people = People()
    if webhook.owner is not None and webhook.owner != received.actor:
        people = people_before(reader, position, received.tenant, webhook.owner)
    may = grounds(webhook, people, received.actor, received.readers)
    return (*said, may or "why it may know cannot be told any more")


def people_before(reader: Reader, position: int, tenant: str, user: str) -> People:
    """What was known of one person, and of all groups. Blocks."""
    people = People()
    after = 0
    while events := reader.landmarks(after, READ_EVENTS_MAX):
        for recorded in events:
            if recorded.position >= position:
                return people
            if _is_about(recorded, tenant, user):
                people.apply(recorded.stream, recorded.version, recorded.event)
        after = events[-1].position
    return people


def _is_about(recorded: Recorded, tenant: str, user: str) -> bool:
    event = recorded.event
    if isinstance(event, person.Set | person.Removed):
        return event.tenant == tenant and event.id == user
    return isinstance(event, group.Set | group.Removed) and event.tenant == tenant
