"""What happens to rooms and AI agents; both are folders to DocSpace.

Who may read one only the portal knows: without `readers` in the event, admins alone hear of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from hookledger import PortalEvent, Reading, Role, Trigger, Unreadable, hookimpl
from plugins.file_entry import FOLDER, SHAPE, file_entry
from plugins.rooms.samples import samples

NOT_GUESTS: tuple[Role, ...] = ("admin", "room-admin", "user")
ADMINS: tuple[Role, ...] = ("admin", "room-admin")

TRIGGERS = (
    # name, bit, order, who may subscribe
    ("room.created", 22, 50, ADMINS),
    ("room.updated", 23, 51, NOT_GUESTS),
    ("room.archived", 24, 52, NOT_GUESTS),
    ("room.deleted", 25, 53, NOT_GUESTS),
    ("room.restored", 26, 54, NOT_GUESTS),
    ("room.copied", 27, 55, ADMINS),
    ("agent.created", 31, 70, ADMINS),
    ("agent.updated", 32, 71, NOT_GUESTS),
    ("agent.deleted", 33, 72, NOT_GUESTS),
)


@hookimpl
def register_triggers() -> Sequence[Trigger]:
    known = samples()
    data, payload = SHAPE.data_schema(), SHAPE.payload_schema()
    return [
        Trigger(
            name=name,
            bit=bit,
            order=order,
            roles=roles,
            samples=known[name],
            data_schema=data,
            payload_schema=payload,
        )
        for name, bit, order, roles in TRIGGERS
    ]


@hookimpl
def read_event(events: Sequence[PortalEvent]) -> Sequence[Reading | Unreadable]:
    return [_read(event) for event in events]


def _read(event: PortalEvent) -> Reading | Unreadable:
    payload = file_entry(event.data, FOLDER)
    if isinstance(payload, Unreadable):
        return payload
    return Reading(payload=payload, target_type=event.type.partition(".")[0], target_ids=(payload["id"],))
