"""One run, from an empty database to its verdict."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from core.ledger.postgres.recorder import PostgresRecorder
from core.ledger.read import Reader
from core.loading import load_plugins
from core.model.topics import Codec
from tests.faults.chaos.judge import Judge, requests_of
from tests.faults.chaos.kafka_judge import KafkaJudge
from tests.faults.chaos.kafka_world import KafkaPlan, KafkaWorld
from tests.faults.chaos.world import Plan, Trouble, World
from tests.matching.history import recorded_hearers, replayed_hearers, told_plainly
from tests.oracle import listen

SHOWN_MAX = 20
BUG = re.compile(r" (ERROR|CRITICAL) \S+\.bug|: bug")
RECOVERING_S = 2.0
"""So long after a stop or a cut a start may still be refused."""


class Verdict(NamedTuple):
    """What was counted, and what does not hold."""

    counts: dict[str, Any]
    wrong: list[str]


async def run(folder: Path, plan: Plan | KafkaPlan, seed: int, say: Callable[[str], None]) -> Verdict:
    world = KafkaWorld(folder, plan, seed, say) if isinstance(plan, KafkaPlan) else World(folder, plan, seed, say)
    try:
        await world.begin()
        await world.run()
        say("judging")
        recorder = PostgresRecorder(*world.server.database)
        try:
            return await _verdict(world, Reader(recorder, Codec()))
        finally:
            recorder.close()
    finally:
        await world.close()


async def _verdict(world: World, reader: Reader) -> Verdict:
    requests = requests_of(world.received_log.read_text())
    kind = KafkaJudge if isinstance(world, KafkaWorld) else Judge
    judge = kind(reader, requests, world.troubles, [led for member in world.members for led in member.led()])
    lost = judge.acknowledged(world.people.acknowledged)
    judge.deliveries()
    twice = judge.twice()
    longest, began, longest_there = judge.longest_pause()
    wrong = world.problems + world.people.wrong + judge.wrong + _processes(world)
    recorded = recorded_hearers(reader)
    if recorded != listen(told_plainly(reader))[0]:
        wrong.append("matching by hand is not what was recorded")
    if recorded != replayed_hearers(reader, load_plugins())[0]:
        wrong.append("matching replayed is not what was recorded")
    counts = {
        "acknowledged": len(world.people.acknowledged),
        "lost": lost,
        "deliveries": len(judge.created),
        "requests": len(requests),
        "received twice": twice,
        **world.counts,
        "takeovers": await world.takeovers(),
        "longest pause": round(longest, 2),
        "it began at": round(began, 3),
        "longest pause with all there": round(longest_there, 2),
        "noticed within": round(max(world.noticed_s, default=0.0), 2),
        "ready again within": round(max(world.ready_again_s, default=0.0), 2),
        "ended within": round(max(world.ended_s, default=0.0), 2),
        "people": dict(world.people.counts),
    }
    return Verdict(counts, wrong)


def _processes(world: World) -> list[str]:
    """None says of a bug, and none ends by itself, but for those that could not start without a database."""
    wrong = []
    for member in [*world.members, *world.gone]:
        said = member.said()
        wrong += [f"{member.name} says: {line}" for line in said if "Traceback" in line or BUG.search(line)]
        for end in member.ends:
            if end.was_told or (
                end.code == 1 and not end.had_started and _is_excused(world.troubles, end.began, end.ended)
            ):
                continue
            wrong.append(
                f"{end.name} ended by itself, with {end.code}, at {end.ended:.3f} ({end.ended - end.began:.1f} s): "
                f"{end.last_said}"
            )
    return wrong


def _is_excused(troubles: list[Trouble], began: float, ended: float) -> bool:
    return any(
        one.kind in ("stop", "cut") and one.began <= ended and one.ended + RECOVERING_S >= began for one in troubles
    )


def timed(say: Callable[[str], None]) -> Callable[[str], None]:
    """The same, with the seconds since now."""
    began = time.monotonic()
    return lambda said: say(f"{time.monotonic() - began:7.1f} s  {said}")
