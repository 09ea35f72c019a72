"""Lengths of time as people read and write them."""

from __future__ import annotations

import re

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
"""How many milliseconds each letter stands for."""
WRITTEN = re.compile(r"([0-9]{1,6})([smhdw])")


def in_words(ms: int) -> str:
    """`4 ms`, `5.1 s`, `2 min 3 s`, `5 h 0 min`, `3 d 4 h`."""
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms // 100 / 10:.1f} s"
    minutes, seconds = divmod(ms // 1_000, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def written(text: str) -> int | None:
    """Milliseconds of what was written like `90s`, `2h` or `3d`; None when it was not."""
    found = WRITTEN.fullmatch(text)
    return None if found is None else int(found[1]) * UNITS_MS[found[2]]
