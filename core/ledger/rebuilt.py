"""What was done when views were made anew, and how the new rows differ from the old ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from core.ledger.follow import View

TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
SHOWN_MAX = 5
"""Keys of rows that differ."""


class Difference(msgspec.Struct, frozen=True):
    """A table in which old and new rows are not the same: how many, and the primary keys of the first few."""

    table: str
    rows: int
    keys: tuple[tuple[object, ...], ...]


class Rebuilt(msgspec.Struct, frozen=True):
    """What was done. `compared`: of each view that the old file had, how it differs from the new one at the same
    position; a view that is missing there was not to be read, or had seen more than there is."""

    events: int
    took_ms: int
    compared: Mapping[str, Sequence[Difference]]


def tables_of(view: View) -> list[str]:
    """Names of a view's tables."""
    return [found[1] for statement in view.tables if (found := TABLE.match(statement))]
