"""Random histories of who is who and who listens, for tests of the directory."""

from __future__ import annotations

from hypothesis import strategies as st

from core.ledger.unit import Entry, Recorded
from core.model import catalogue, token, webhook
from tests.builders import NOW, create_webhook, remove_group, remove_person, set_group, set_person, stream

TENANTS = st.sampled_from(["1", "2"])
GROUPS = st.sampled_from(["g1", "g2", "g3"])
TIMES = st.integers(0, 6)
some_groups = st.lists(GROUPS, unique=True, max_size=3).map(tuple)


@st.composite
def people_changes(draw, times=TIMES, tenants=TENANTS):
    """One change of a person or a group."""
    time, tenant, cause = draw(times), draw(tenants), draw(st.integers(1, 2**60).map(stream))
    about = {"time": time, "tenant": tenant, "cause": cause}
    person, group = draw(st.sampled_from(["p1", "p2", "p3"])), draw(GROUPS)
    match draw(st.sampled_from(["set", "set", "set", "remove", "set group", "remove group"])):
        case "set":
            said = {
                "role": draw(st.sampled_from([None, "admin", "room-admin", "user", "guest"])),
                "status": draw(st.sampled_from([None, "active", "terminated", "pending"])),
                "groups": draw(st.none() | some_groups),
                "joins": draw(some_groups),
                "leaves": draw(some_groups),
            }
            return set_person(person, **about, **said)
        case "remove":
            return remove_person(person, **about)
        case "set group":
            return set_group(group, **about)
    return remove_group(group, **about)


def stream_of(change):
    """Persons and groups have streams by tenant and id, as if they had always been known."""
    return stream(int.from_bytes(f"{change.tenant}/{change.id}".encode(), "big"))


def in_streams(changes, versions):
    """The changes as entries, each with the next version of its stream."""
    entries = []
    for change in changes:
        where = stream_of(change)
        versions[where] = versions.get(where, 0) + 1
        entries.append(Entry(where, versions[where], change))
    return entries


@st.composite
def histories(draw, max_size=25):
    """Recorded events of all landmarks, in order, with positions that leave gaps for the others."""
    recorded, versions, position = [], {}, 0
    tenants: dict[bytes, str] = {}
    for _ in range(draw(st.integers(0, max_size))):
        position += draw(st.integers(1, 3))
        kind = draw(st.sampled_from(["people", "people", "people", "webhook", "change", "token", "catalogue"]))
        if kind == "people" or (kind == "change" and not tenants):
            (entry,) = in_streams([draw(people_changes())], versions)
        elif kind == "webhook":
            entry = Entry(stream(1000 + position), 1, draw(new_webhooks()))
            tenants[entry.stream] = entry.event.tenant
        elif kind == "change":
            where = draw(st.sampled_from(sorted(tenants)))
            entry = Entry(where, versions[where] + 1, draw(webhook_changes(tenants[where])))
        elif kind == "token":
            entry = Entry(stream(5000 + position), 1, token.Created("1", NOW, None, "user", "p1", bytes(32)))
        else:
            plugins = {"users": str(position)}
            entry = Entry(stream(0), versions.get(stream(0), 0) + 1, catalogue.Changed("", NOW, plugins))
        versions[entry.stream] = entry.version
        recorded.append(Recorded(position, *entry))
    return recorded


@st.composite
def new_webhooks(draw):
    wishes = {
        "tenant": draw(TENANTS),
        "owner": draw(st.sampled_from([None, "p1", "p2"])),
        "triggers": draw(st.sampled_from([(), ("file.moved",), ("file.moved", "user.created")])),
        "target": draw(st.sampled_from([None, "1", "2"])),
        "enabled": draw(st.booleans()),
    }
    return create_webhook(**wishes)


@st.composite
def webhook_changes(draw, tenant):
    made = [
        webhook.Enabled(tenant, NOW, None),
        webhook.Disabled(tenant, NOW, None, "person"),
        webhook.Disabled(tenant, NOW, None, "gone", 3),
        webhook.SecretReset(tenant, NOW, "p1", stream(1)),
        webhook.Changed(tenant, NOW, None, {"triggers": ((), ("file.moved",)), "target": ("1", None)}),
        webhook.Changed(tenant, NOW, None, {"target": (None, "2"), "url": ("http://h/", "http://g/")}),
        webhook.Changed(tenant, NOW, None, {"triggers": (("file.moved",), ()), "name": ("any", "other")}),
    ]
    return draw(st.sampled_from(made))
