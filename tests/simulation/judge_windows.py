"""Whether no webhook has more requests under way than its window allows, and all of them not more than they may.

The window is seen from the receiver: it begins at 4 with each start of the service, each good answer may add one, up
to 64, and what goes bad or grows older than a second makes it 1. A receiver does not know when the service learns of
its answers; so growth counts from the moment the answer goes out, and shrinking when it must have come.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator

from tests.simulation.judge_deliveries import true_s
from tests.simulation.receiver import INFINITE, Arrival
from tests.simulation.told import Told
from tests.simulation.world import World

Broken = Iterator[tuple[str, float]]

START, MAX = 4, 64
OLD_S = 1.0
TOTAL_S = 30.0
WAY_S = 1.5
"""From one machine to another, at most, while the network is whole."""
YOUNG_MS = 500
"""Surely younger than a second: the rest may have gone by before its request began."""


def windows_are_kept(world: World, told: Told) -> Broken:
    """Requests of one webhook under way, as its receiver sees them, against the largest window there may be."""
    if not world.wall.is_true:
        return
    groups: dict[tuple[str, int], list[Arrival]] = defaultdict(list)
    for arrival in world.arrivals:
        if arrival.number in told.deliveries:
            groups[arrival.sender, told.deliveries[arrival.number].webhook].append(arrival)
    for (_, webhook), arrivals in groups.items():
        good = sorted(each.answered_s for each in arrivals if 200 <= (each.reply.status or 0) < 300)
        bad = sorted(_bad(world, arrivals))
        seen = set[tuple[int, int]]()
        for index, arrival in enumerate(arrivals):
            now = arrival.at_s
            is_again = (arrival.number, arrival.attempt) in seen
            seen.add((arrival.number, arrival.attempt))
            if is_again:
                # Its line broke before any answer, and it went out on another: it kept the place it had.
                continue
            under_way = sum(_open_until(each) > now for each in arrivals[: index + 1])
            if under_way > 1 and under_way > (window := _window(good, bad, now)):
                yield f"{under_way} requests of webhook {webhook} under way, at most {window} may be: {arrival!r}", now


def _open_until(arrival: Arrival) -> float:
    """Until when the request was surely under way for the service too: it may have hung up before that was seen."""
    return min(arrival.answered_s, arrival.hung_up_s - WAY_S, true_s(arrival.stamp_s * 1000) + TOTAL_S)


def _bad(world: World, arrivals: list[Arrival]) -> Iterator[tuple[float, float]]:
    """(when the service must have learnt of it, when that may have begun) for whatever shrinks a window."""
    for each in arrivals:
        if each.ended_s > each.at_s + OLD_S:
            yield each.at_s + OLD_S + WAY_S, each.at_s
        is_answered = each.answered_s <= each.hung_up_s and each.answered_s < INFINITE
        is_known = is_answered and not world.weather.was_troubled(each.answered_s - WAY_S, each.answered_s + WAY_S)
        if is_known and not 200 <= (each.reply.status or 0) < 300:
            yield each.answered_s + WAY_S, each.answered_s


def _window(good: list[float], bad: list[tuple[float, float]], now: float) -> int:
    window = START + bisect_right(good, now)
    for _, began in bad[: bisect_left(bad, (now, 0.0))]:
        window = min(window, 1 + bisect_right(good, now) - bisect_left(good, began - WAY_S))
    return min(window, MAX)


def stays_young(world: World, told: Told) -> Broken:
    """Requests that are surely younger than a second, of all webhooks: what is to be done between that a row is handed
    out and that its request begins takes no time worth mentioning, where the disk is not slow."""
    if not world.wall.is_true:
        return
    spans = sorted(
        (attempt.started, attempt.started + attempt.took)
        for each in told.deliveries.values()
        for _, attempt in each.attempts()
    )
    for index, (started, _) in enumerate(spans):
        first = bisect_left(spans, (started - YOUNG_MS, 0))
        young = sum(ended > started for _, ended in spans[first : index + 1])
        if young > world.plan.young_max and not world.weather.had_slow_disk(true_s(started)):
            yield (
                f"{young} requests under way that began within {YOUNG_MS} ms; {world.plan.young_max} may",
                true_s(started),
            )
