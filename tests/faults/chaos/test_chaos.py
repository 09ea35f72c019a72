"""A small run of `python -m tests.faults.chaos`, which says how to make a large one."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.chaos.run import SHOWN_MAX, run
from tests.faults.chaos.world import Plan


@pytest.mark.timeout(300)
async def test_nothing_is_lost_whatever_is_taken_from_processes_that_share_a_database(
    tmp_path: Path, tell: Callable[[object], None]
) -> None:
    """Killed, paused, cut off, without their database for a while: each delivery has one end, and it was made."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    verdict = await run(tmp_path, Plan(events=3_000, kills=8, stops=2, cuts=10, pauses=1), seed, print)
    tell(f"seed {seed}: {verdict.counts}")
    assert not verdict.wrong, verdict.wrong[:SHOWN_MAX]
