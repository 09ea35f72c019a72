"""The aggregate Group: that a group exists; who is in it is a fact of each person."""

from __future__ import annotations

from core.model.event import Event


class Set(Event):
    """The group exists since `time`; `cause` is the stream of the portal event that taught it."""

    id: str
    time: int
    cause: bytes | None


class Removed(Event):
    """The group is gone since `time`, and with it every membership that is not newer."""

    id: str
    time: int
    cause: bytes | None
