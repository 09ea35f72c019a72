"""The little portal all samples tell of: Anna runs it, José works in it, and their project has a room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ANNA = "66faa6e4-f133-11ea-b126-00ffeec8b4ef"
JOSE = "7d2f4c1e-0b7a-4d39-9c55-3a1f0a6c2b11"
PETRA = "c2b7f7de-3a55-4a39-8f0e-5b1f6a9d0c42"
SALES = "0c6f0d0e-5c56-4d0e-9a41-9d4b8f2a7710"
ROOM = 310
REPORT = 991

READERS = (f"user:{ANNA}", f"group:{SALES}", "role:admin")
"""Who may read what is in the room."""


def sample(
    type: str, minute: int, actor: str, data: Mapping[str, Any], readers: Sequence[str] | None = None
) -> Mapping[str, Any]:
    """A portal event in its plain form; `minute`, which is the trigger's place in the catalogue, sets time and id."""
    event = {
        "id": f"6d1c2a74-9c7e-4f0e-8f4e-{minute:012}",
        "type": type,
        "time": f"2026-11-23T{10 + minute // 60}:{minute % 60:02}:00Z",
        "actor": actor,
    }
    return {**event, "data": data} if readers is None else {**event, "readers": list(readers), "data": data}
