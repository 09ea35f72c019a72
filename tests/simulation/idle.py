"""How often a service that has nothing to do looks around: `python -m tests.simulation.idle` prints callbacks an hour.

First with no delivery open, then with one whose next attempt is due in ten hours.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import aiohttp.connector

from core.loading import load_plugins
from tests.simulation.plan import Plan
from tests.simulation.world import World

HOURS = 9
EVENT = {"id": "it", "type": "file.created", "readers": ["everyone"], "data": {"id": 1}}


async def _live(world: World) -> dict[str, float]:
    people, loop = world.people, world.loop
    for receiver in world.receivers:
        await receiver.boot()
    world.home.boot()
    await world.start(people.token("1"), people.machine)
    await world.start(people.create("1"), people.machine)
    number = next(iter(people.numbers))
    wish = {"id": number, "triggers": [], "target": None, "owner": None, "schedule_s": [36_000]}
    await world.start(people.ask("webhooks.change", wish), people.machine)
    told = {"idle": await _count(world)}
    for receiver in world.receivers:
        receiver.moods = dict.fromkeys(receiver.moods, "failing")
    publishing = people.ask("event.publish", {"tenant": "1", "events": [EVENT]})
    await world.start(publishing, people.machine)
    await loop.pause(100)
    assert len(world.arrivals) == 1, "it was not attempted once"
    told["waiting"] = await _count(world)
    world.home.stop()
    await world.home.ended()
    return told


async def _count(world: World) -> float:
    """Callbacks of the service an hour, over some hours."""
    loop = world.loop
    await loop.pause(100)
    assert world.home.epoch is not None
    before = loop.steps[world.home.epoch.machine]
    await loop.pause(HOURS * 3_600)
    return (loop.steps[world.home.epoch.machine] - before) / HOURS


def main() -> None:
    plan = Plan(1)
    plan.sizes = {}
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "data"
        data.mkdir()
        world = World(plan, data, load_plugins())
        aiohttp.connector.monotonic = lambda: world.loop.now_s
        print(json.dumps(world.loop.run_until_complete(_live(world))))


if __name__ == "__main__":
    main()
