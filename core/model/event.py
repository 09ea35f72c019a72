"""What every recorded event is: an immutable msgspec struct, stored as a msgpack array.

New fields go to the end with a default; anything else is a new version with its own class in `topics.py`.
Every event begins with its tenant and the time it was recorded (`at`, milliseconds, UTC). `by` is the user id of
who did it; None is hookledger itself or the operator of the machine.
"""

from __future__ import annotations

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True)
class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A recorded event; its stream and version stand beside it, never in it."""

    tenant: str
    at: int


OPERATOR = "operator"
"""`by` of what was typed on the machine itself, over the operator's socket or without `serve`."""
