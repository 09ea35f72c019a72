"""What time it is, asked of somebody who can be replaced: the one place that reads the machine's clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as an argument. Every time in hookledger is whole milliseconds since 1970, UTC."""

    def now_ms(self) -> int:
        """Wall-clock time in milliseconds; may jump."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def to_iso(at_ms: int) -> str:
    """`2026-11-23T10:00:00.250Z`, for people; whole seconds lose the fraction."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    text = moment.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def from_iso(text: str) -> int:
    """Milliseconds of an RFC 3339 time with a zone; ValueError when it is not one."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return round(moment.timestamp() * 1000)
