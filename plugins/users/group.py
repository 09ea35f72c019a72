"""One group event: what receivers get, who may know, and who is in the group from here on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hookledger import Change, Directory, PortalEvent, Reading, RemoveGroup, SetGroup, SetPerson, Unreadable
from plugins.shape import Shape
from plugins.users.ids import ids_in

SHAPE = Shape(
    {
        "id": "str",
        "name": "str",
        "categoryID": "str",
        "parent": "object or str",
        "sid": "str",
        "removed": "bool",
        "authenticationType": "str",
        "key": "str",
    },
    {"members": "array"},
)

READERS = ("role:admin", "role:room-admin")
"""Who may read groups: DocSpace denies it to users, and guests have no webhooks."""


def read_group(event: PortalEvent, directory: Directory) -> Reading | Unreadable:
    data = event.data
    mistake = SHAPE.mistake(data, "data")
    if mistake is not None:
        return mistake
    members = None if data.get("members") is None else ids_in(data["members"], "data.members")
    if isinstance(members, Unreadable):
        return members
    id: str = data["id"]
    changes: Sequence[Change] = (RemoveGroup(id=id),)
    if event.type != "group.deleted":
        moves = [] if members is None else _moves(id, members, directory.members(id))
        changes = (SetGroup(id=id), *moves)
    return Reading(payload=_payload(data), target_type="group", target_ids=(id,), readers=READERS, changes=changes)


def _moves(group: str, listed: Sequence[str], before: Collection[str]) -> list[SetPerson]:
    """Those who join, as listed, then those who leave. Somebody we do not know yet joins as well: the portal vouches
    for them, and events about the group's files come before we hear of each of its people."""
    joins = [SetPerson(id=person, joins=(group,)) for person in listed if person not in before]
    return joins + [SetPerson(id=person, leaves=(group,)) for person in sorted(set(before).difference(listed))]


def _payload(data: Mapping[str, Any]) -> dict[str, Any]:
    filled = {**data}
    if not filled.get("authenticationType"):
        filled["authenticationType"] = "ASC"
    if not filled.get("key"):
        filled["key"] = filled["id"]
    return SHAPE.payload(filled)
