"""Limits as they might be: so small, in half of the lives, that a small world meets them all the time."""

from __future__ import annotations

import importlib
from random import Random

from core.ledger.tail import Tail
from tests.delivery.outbox.world import SIZES

MORE: dict[str, list[int]] = {
    "core.intake.COMMIT_EVENTS_MAX": [4, 8_192],
    "core.intake.INTAKE_EVENTS_MAX": [30, 20_000],
    "core.ledger.claims.YOUNG_MAX": [1, 8, 32_768],
    "core.ledger.follow.GATHERED_EVENTS_MAX": [5, 60_000],
    "core.ledger.writer.COMMIT_EVENTS_MAX": [1, 5, 8_192],
    "core.office.SNAPSHOT_LANDMARKS": [1, 10, 5_000],
    "delivery.worker.IDLE_MAX": [1, 128],
}
TAIL_EVENTS = [1, 20, 50_000]


def draw(random: Random) -> dict[str, int]:
    """One value for each of them, or none at all."""
    if random.random() < 0.5:
        return {}
    return {name: random.choice(values) for name, values in (SIZES | MORE).items()} | {
        "tail": random.choice(TAIL_EVENTS)
    }


def put(sizes: dict[str, int]) -> None:
    """Let them be so in this process, for good."""
    for name, value in sizes.items():
        if name == "tail":
            Tail.__init__.__defaults__ = (value, 2**25)
            continue
        module_name, _, limit = name.rpartition(".")
        module = importlib.import_module(module_name)
        # A name that is no longer there must not pass in silence.
        assert isinstance(getattr(module, limit), int), name
        setattr(module, limit, value)
