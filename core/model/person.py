"""The aggregate Person: who somebody is in a portal, as the portal's own events told it.

Its stream has no limit of its own, but is never read on the way of an event: the directory is the fold of all of them.
"""

from __future__ import annotations

from core.model.event import Event
from core.trigger import Role, Status


class Set(Event):
    """`time` is when it became so (never later than `at`); None: unchanged. `groups` is the whole list, or None.
    `cause` is the stream of the portal event that taught it; None: an import."""

    id: str
    time: int
    role: Role | None
    status: Status | None
    groups: tuple[str, ...] | None
    joins: tuple[str, ...]
    leaves: tuple[str, ...]
    cause: bytes | None


class Removed(Event):
    """The person is gone since `time`."""

    id: str
    time: int
    cause: bytes | None
