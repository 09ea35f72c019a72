"""A small run of `python -m tests.faults.chaos --kafka`, which says how to make a large one."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.chaos.kafka_world import KafkaPlan
from tests.faults.chaos.run import SHOWN_MAX, run


@pytest.mark.timeout(400)
async def test_nothing_is_lost_whatever_is_taken_from_roles_with_kafka_between_them(
    tmp_path: Path, tell: Callable[[object], None]
) -> None:
    """Each produced event is delivered, once recorded no request of it comes again, and matching can be replayed."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    plan = KafkaPlan(events=2_000, kills=8, stops=1, pauses=2, joins=1, broker_stops=1, broker_kills=1, empties=1)
    verdict = await run(tmp_path, plan, seed, print)
    tell(f"seed {seed}: {verdict.counts}")
    assert not verdict.wrong, verdict.wrong[:SHOWN_MAX]
