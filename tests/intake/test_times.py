"""Times in milliseconds, and as people read them."""

from __future__ import annotations

import pytest

from core.clock import from_iso, to_iso
from core.incoming import TIME_MS_MAX


@pytest.mark.parametrize("at_ms", [0, 1, 999, 1_795_428_000_250, 14_075_000_000_001, TIME_MS_MAX - 1, TIME_MS_MAX])
def test_a_time_is_the_same_when_it_is_read_again(at_ms):
    """Also one that a float does not hold to the millisecond."""
    for near in range(max(at_ms - 500, 0), min(at_ms + 500, TIME_MS_MAX) + 1):
        assert from_iso(to_iso(near)) == near


def test_whole_seconds_have_no_fraction():
    """What is not whole has three digits of it."""
    assert (to_iso(1_795_428_000_000), to_iso(1_795_428_000_050)) == (
        "2026-11-23T10:00:00Z",
        "2026-11-23T10:00:00.050Z",
    )
