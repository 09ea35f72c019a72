"""What time it is, asked of somebody who can be replaced: the one place that reads the machine's clocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.limits import CLOCK_STEP_MS

LOOK_MS = 250
"""So long after a watched clock was compared with the steady one, it is not compared again."""

EPOCH = datetime.fromtimestamp(0, UTC)

STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Nobody sets it, and it goes on while the machine sleeps."""


class Clock(Protocol):
    """Time as an argument. Every time in hookledger is whole milliseconds since 1970, UTC."""

    def now_ms(self) -> int:
        """Wall-clock time in milliseconds; somebody may set it."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds since some moment, whatever the wall clock says: for how long something takes."""
        ...


Moment = tuple[int, int]
"""`now_ms()` and `monotonic_ms()`, read one after the other."""


def moment(clock: Clock) -> Moment:
    return clock.now_ms(), clock.monotonic_ms()


class SystemClock:
    """The machine's clock. Time in which the machine slept has passed."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.clock_gettime_ns(STEADY) // 1_000_000


class WatchedClock:
    """A clock that notices when it is set, when somebody asks it for the time, or a moment later. For one thread."""

    def __init__(self, clock: Clock) -> None:
        self._wall, self.monotonic_ms = clock.now_ms, clock.monotonic_ms
        self._looked_at = self._wall()
        self._look_at = self._looked_at + LOOK_MS
        self._apart = self._looked_at - self.monotonic_ms()
        self.on_step: Callable[[int], None] = lambda _by_ms: None
        """Called with how far it was set ahead, or back: then it is less than 0."""

    def now_ms(self) -> int:
        now = self._wall()
        # To look at two clocks each time would cost each delivery a hundredth more.
        if not self._looked_at <= now < self._look_at:
            self._look(now)
        return now

    def _look(self, now: int) -> None:
        self._looked_at, self._look_at = now, now + LOOK_MS
        by_ms = now - self.monotonic_ms() - self._apart
        if -CLOCK_STEP_MS < by_ms < CLOCK_STEP_MS:
            self._apart += by_ms
        else:
            self._look_again()

    def _look_again(self) -> None:
        """The machine may have stood still between two looks at its clocks, which is no step."""
        before, now, after = self.monotonic_ms(), self._wall(), self.monotonic_ms()
        by_ms = now - after - self._apart
        if after - before < CLOCK_STEP_MS // 2:
            self._apart += by_ms
            if abs(by_ms) >= CLOCK_STEP_MS:
                self.on_step(by_ms)


def to_iso(at_ms: int) -> str:
    """`2026-11-23T10:00:00.250Z`, for people; whole seconds lose the fraction."""
    moment = EPOCH + timedelta(milliseconds=at_ms)
    text = moment.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def from_iso(text: str) -> int:
    """Milliseconds of an RFC 3339 time with a zone; ValueError when it is not one."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return round(moment.timestamp() * 1000)
