"""A clock that is watched tells steps from time that passes, and from a machine that stood still."""

from __future__ import annotations

import pytest

from core.clock import SystemClock, WatchedClock
from core.limits import CLOCK_STEP_MS
from tests.invented import InventedClock


def watched(clock):
    """The clock, watched, and the steps that were noticed."""
    noticed = []
    watching = WatchedClock(clock)
    watching.on_step = noticed.append
    return watching, noticed


@pytest.mark.parametrize("by_ms", [CLOCK_STEP_MS, -CLOCK_STEP_MS, 10**12, -(10**11)])
def test_a_step_is_noticed_once_with_its_length(by_ms):
    """Whoever asks for the time next notices it, and nobody after that."""
    clock = InventedClock()
    watching, noticed = watched(clock)
    clock.turn_to(clock.now_ms() + 5_000)
    clock.set(by_ms)
    assert watching.now_ms() == clock.now_ms()
    clock.turn_to(clock.now_ms() + 5_000)
    watching.now_ms()
    assert noticed == [by_ms]


@pytest.mark.parametrize("by_ms", [CLOCK_STEP_MS - 1, 1 - CLOCK_STEP_MS, 1])
def test_less_is_no_step(by_ms):
    """Nor are many such, as long as somebody looks in between."""
    clock = InventedClock()
    watching, noticed = watched(clock)
    for _ in range(50):
        clock.set(by_ms)
        watching.now_ms()
    assert noticed == []


def test_time_that_passes_is_no_step():
    """Not in a year, nor in the machine's sleep."""
    clock = InventedClock()
    watching, noticed = watched(clock)
    clock.turn_to(clock.now_ms() + 365 * 24 * 3_600_000)
    watching.now_ms()
    assert noticed == []


class Stalled(InventedClock):
    """Between two looks at it the machine stands still for a while, so many times."""

    stalls = 0

    def monotonic_ms(self):
        if self.stalls:
            self.stalls -= 1
            self.turn_to(self.now_ms() + 10_000)
        return super().monotonic_ms()


@pytest.mark.parametrize("stalls", [1, 2, 3])
def test_a_machine_that_stands_still_between_two_looks_is_no_step(stalls):
    """Its two clocks are read one after the other: what passes between is no difference between them."""
    clock = Stalled()
    watching, noticed = watched(clock)
    clock.stalls = stalls
    for _ in range(5):
        watching.now_ms()
    assert noticed == []


def test_the_machines_own_clocks_go_together():
    """A clock that nobody sets is not set."""
    watching, noticed = watched(SystemClock())
    before = watching.monotonic_ms()
    times = [watching.now_ms() for _ in range(10_000)]
    assert noticed == []
    assert abs((times[-1] - times[0]) - (watching.monotonic_ms() - before)) < CLOCK_STEP_MS
