"""Lists of people or groups, as portals send them: ids, or objects with an id."""

from __future__ import annotations

from typing import Any

from hookledger import Unreadable


def ids_in(listed: list[Any], path: str) -> tuple[str, ...] | Unreadable:
    """Each id once, in the order listed."""
    ids: dict[str, None] = {}
    for place, entry in enumerate(listed):
        below = f"{path}[{place}]"
        if isinstance(entry, dict):
            below, entry = f"{below}.id", entry.get("id")  # noqa: PLW2901 - the id is what is listed
            expected = "expected str"
        else:
            expected = "expected str or object"
        if not isinstance(entry, str):
            return Unreadable(below, expected)
        if not entry:
            return Unreadable(below, f"{expected}, not empty")
        ids[entry] = None
    return tuple(ids)
