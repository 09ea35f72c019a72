"""What happens to users and groups, and with it who is who in the portal: the directory learns it from here."""

from __future__ import annotations

from collections.abc import Sequence

from hookledger import Directory, PortalEvent, Reading, Role, Trigger, Unreadable, hookimpl
from plugins.users.group import read_group
from plugins.users.samples import samples
from plugins.users.user import read_user

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
        Trigger(name=name, bit=bit, order=order, roles=roles, changes_directory=True, samples=known[name])
        for name, bit, order, roles in TRIGGERS
    ]


@hookimpl
def read_event(events: Sequence[PortalEvent], directory: Directory) -> Sequence[Reading | Unreadable]:
    return [
        read_user(event, directory) if event.type.startswith("user.") else read_group(event, directory)
        for event in events
    ]
