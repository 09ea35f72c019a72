"""A ledger told again: as plain dicts for the oracle, as what was recorded, and by a matcher that starts afresh."""

from __future__ import annotations

import json

from core.directory import Directory
from core.incoming import checked
from core.matching import candidates
from core.model import group, person, webhook
from core.model.delivery import Created
from core.model.portal_event import Received
from core.trigger import Owner, Reading
from tests.oracle import listen
from tests.oracle import person as person_by_hand

SWITCHES = {
    webhook.Enabled: {"enabled": True},
    webhook.Disabled: {"enabled": False},
    webhook.Deleted: {"deleted": True},
}


def everything(reader):
    """All recorded events, in order."""
    recorded, position = [], 0
    while some := reader.after(position):
        recorded += some
        position = some[-1].position
    return recorded


def told_plainly(reader):
    """The history the oracle reads. What portal events taught is left out: it must find that out by itself."""
    recorded = everything(reader)
    bodies = reader.bodies([each.position for each in recorded if type(each.event) is Received])
    lessons = {each.stream for each in recorded if type(each.event) is Received}
    numbers: dict[bytes, int] = {}
    history = []
    for position, stream, _, event in recorded:
        about = {"tenant": event.tenant, "position": position}
        match event:
            case Received():
                words = json.loads(bodies[position].data)
                about |= {"what": "event", "sent": words, "accepted": event.at}
            case webhook.Created():
                numbers[stream] = position
                now = {"owner": event.owner, "triggers": event.triggers, "target": event.target}
                about |= {"what": "webhook", "number": position, "now": {**now, "enabled": event.enabled}}
            case webhook.Changed():
                now = {field: to for field, (_, to) in event.changes.items()}
                about |= {"what": "webhook", "number": numbers[stream], "now": now}
            case webhook.Enabled() | webhook.Disabled() | webhook.Deleted():
                about |= {"what": "webhook", "number": numbers[stream], "now": SWITCHES[type(event)]}
            case person.Set() | person.Removed() | group.Set() | group.Removed() if event.cause not in lessons:
                about |= fact(event)
            case _:
                continue
        history.append(about)
    return history


def fact(event):
    """A fact of a person or group that no portal event taught."""
    if isinstance(event, group.Set | group.Removed):
        return {"what": "group", "id": event.id, "time": event.time, "gone": isinstance(event, group.Removed)}
    said = {"what": "person", "id": event.id, "time": event.time, "known": isinstance(event, person.Set)}
    if isinstance(event, person.Set):
        said |= {name: getattr(event, name) for name in ("role", "status", "groups", "joins", "leaves")}
    return said


def recorded_hearers(reader):
    """For each event's position the webhooks that a delivery was recorded for when it came; each event says how many
    itself."""
    hearers, events = {}, {}
    for position, stream, _, event in everything(reader):
        if type(event) is Received:
            hearers[position], events[stream] = [], (position, event)
        elif type(event) is Created and event.cause is None:
            hearers[events[event.event][0]].append(event.webhook)
    for position, event in events.values():
        assert event.deliveries == len(hearers[position]) == len(set(hearers[position]))
    return {position: set(numbers) for position, numbers in hearers.items()}


def replayed_hearers(reader, plugins):
    """For each event's position the webhooks that hear of it when it is matched again, at its place, by a process that
    knows nothing but the ledger; and the directory in the end."""
    directory, hearers = Directory(), {}
    for recorded in everything(reader):
        if type(recorded.event) is Received:
            raw = reader.bodies([recorded.position])[recorded.position].data
            hearers[recorded.position] = matched_again(directory, plugins, recorded.event, raw)
        directory.apply([recorded])
    return hearers, directory


def same_for_all(office):
    """What was recorded, after the oracle and a replay have said the same."""
    recorded = recorded_hearers(office.reader)
    assert listen(told_plainly(office.reader))[0] == recorded
    assert replayed_hearers(office.reader, office.plugins)[0] == recorded
    return recorded


def matched_again(directory, plugins, received, raw):
    tenant = directory.tenant(received.tenant)
    event = checked(raw, received.tenant, "$")
    assert (event.id, event.type, event.time, event.actor) == (
        received.id, received.type, received.time, received.actor
    )  # fmt: skip
    if event.type not in plugins.triggers:
        return set()
    portal_event = event.as_portal_event(received.at)
    (reading,) = plugins.read([portal_event], tenant.people)
    assert type(reading) is Reading
    readers = reading.readers if event.readers is None else event.readers
    found = candidates(tenant, event.type, reading.target_ids, event.actor, readers)
    return {
        webhook.number
        for webhook, owner in found
        if owner is None
        or plugins.can_see([(Owner(owner.id, owner.role, owner.groups), portal_event)], tenant.people)[0]
    }


def who_is_who(portals):
    """All persons that the oracle knows."""
    return {
        (tenant, id): (known["role"], known["status"], known["groups"])
        for tenant, portal in portals.items()
        for id in portal["people"]
        if (known := person_by_hand(portal, id)) is not None
    }


def persons(directory):
    """All persons that a directory knows."""
    return {
        (name, known.id): (known.role, known.status, set(known.groups))
        for name, tenant in directory.tenants.items()
        for known in tenant.people.persons.values()
        if known.is_known
    }
