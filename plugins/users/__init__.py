"""What happens to users and groups, and with it who is who in the portal: the directory learns it from here."""

from __future__ import annotations

from collections.abc import Sequence

from hookledger import Directory, PortalEvent, Reading, Role, Trigger, Unreadable, hookimpl
from plugins.shape import Shape
from plugins.users import group, user
from plugins.users.samples import samples

NOT_GUESTS: tuple[Role, ...] = ("admin", "room-admin", "user")
ADMINS: tuple[Role, ...] = ("admin", "room-admin")

TRIGGERS = (
    # name, bit, order, who may subscribe
    ("user.created", 0, 10, ADMINS),
    ("user.invited", 1, 11, ADMINS),
    ("user.updated", 2, 12, NOT_GUESTS),
    ("user.deleted", 3, 13, NOT_GUESTS),
    ("group.created", 4, 20, ADMINS),
    ("group.updated", 5, 21, ADMINS),
    ("group.deleted", 6, 22, ADMINS),
)


@hookimpl
def register_triggers() -> Sequence[Trigger]:
    known = samples()
    return [
        Trigger(
            name=name,
            bit=bit,
            order=order,
            roles=roles,
            changes_directory=True,
            samples=known[name],
            data_schema=_shape(name).data_schema(),
            payload_schema=_shape(name).payload_schema(),
        )
        for name, bit, order, roles in TRIGGERS
    ]


def _shape(name: str) -> Shape:
    return user.SHAPE if name.startswith("user.") else group.SHAPE


@hookimpl
def read_event(events: Sequence[PortalEvent], directory: Directory) -> Sequence[Reading | Unreadable]:
    return [
        user.read_user(event, directory) if event.type.startswith("user.") else group.read_group(event, directory)
        for event in events
    ]
