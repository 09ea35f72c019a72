"""Many lives, each in a process of its own, forked from one that has everything loaded: so none knows of another."""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import select
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.plugins import Plugins
from tests.simulation.judge import judge
from tests.simulation.plan import Plan
from tests.simulation.told import Told
from tests.simulation.world import World

LIFE_CPU_S_MAX = 60
"""A life takes about half a second."""
SHOWN_LINES = 40
"""Of what happened before the first promise was broken."""

Life = dict[str, Any]
"""What is known of one life in the end."""


def lives(seeds: Iterable[int], plugins: Plugins, *, jobs: int, is_traced: bool = False) -> Iterator[Life]:
    """Live all of them, so many at a time, and tell of each as it ends."""
    waiting, running = iter(seeds), dict[int, _Child]()
    gc.collect()
    gc.freeze()
    try:
        while True:
            while len(running) < jobs and (seed := next(waiting, None)) is not None:
                child = _Child(seed, plugins, is_traced)
                running[child.pipe] = child
            if not running:
                return
            ready, _, _ = select.select(list(running), [], [])
            for pipe in ready:
                life = running[pipe].read()
                if life is not None:
                    del running[pipe]
                    yield life
    finally:
        for child in running.values():
            child.end()


class _Child:
    """A process that lives one life."""

    def __init__(self, seed: int, plugins: Plugins, is_traced: bool) -> None:
        self.seed = seed
        self._said = b""
        self.pipe, writing = os.pipe()
        self._id = os.fork()
        if self._id == 0:
            os.close(self.pipe)
            resource.setrlimit(resource.RLIMIT_CPU, (LIFE_CPU_S_MAX, LIFE_CPU_S_MAX))
            # Nothing of a life is collected while it lasts: when that would happen is nothing a seed decides.
            gc.disable()
            with os.fdopen(writing, "w") as answer:
                json.dump(live(seed, plugins, is_traced=is_traced), answer)
            # What is left of dead machines must not run now.
            os._exit(0)
        os.close(writing)

    def read(self) -> Life | None:
        """What it has to say; None: not all of it is there."""
        more = os.read(self.pipe, 65_536)
        self._said += more
        if more:
            return None
        os.close(self.pipe)
        os.waitpid(self._id, 0)
        if self._said:
            return json.loads(self._said)
        return _failed(self.seed, f"its process died, or took more than {LIFE_CPU_S_MAX} s of CPU")

    def end(self) -> None:
        os.kill(self._id, signal.SIGKILL)
        os.waitpid(self._id, 0)
        os.close(self.pipe)


def _failed(seed: int, how: str) -> Life:
    return {"seed": seed, "violations": [("the simulation ends", how, 0.0)], "story": []}


def live(seed: int, plugins: Plugins, *, is_traced: bool = False) -> Life:
    """One life, in this process."""
    began = time.process_time()
    shared = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="hookledger-life-", dir=shared if shared.is_dir() else None))
    try:
        (place / "data").mkdir()
        world = World(Plan(seed), place / "data", plugins, is_traced=is_traced)
        logging.getLogger().handlers[:] = [world]
        logging.getLogger().setLevel(logging.WARNING)
        try:
            world.live()
            judge(world)
        except Exception:  # noqa: BLE001 - a fault of the simulation itself, or of what it cannot stand
            world.fault("the simulation ends", traceback.format_exc())
        return _told(world, time.process_time() - began)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _told(world: World, cpu_s: float) -> Life:
    first = world.violations[0].at_s if world.violations else 0.0
    before = [f"{at_s:12.3f} {text}" for at_s, text in world.story if at_s <= first]
    return {
        "seed": world.plan.seed,
        "is_long": world.plan.is_long,
        "virtual_s": world.loop.now_s,
        "active_s": world.plan.active_s,
        "cpu_s": cpu_s,
        "steps": sum(world.loop.steps.values()),
        "starts": len(world.home.epochs),
        "deaths": sum(epoch.how != "stopped" for epoch in world.home.epochs),
        "acknowledged": len(world.acknowledged),
        "commands": len(world.commanded),
        "requests": len(world.arrivals),
        "violations": [(each.promise, each.how, each.at_s) for each in world.violations],
        "story": before[-SHOWN_LINES:],
        "digest": _digest(world),
    }


def _digest(world: World) -> str:
    """All that came of a life: the same seed must come to the same, in any process."""
    digest = sha256()
    told = Told(world.home.data)
    for recorded in told.events:
        digest.update(repr(recorded).encode())
    for sql in ("SELECT * FROM bodies", "SELECT * FROM secrets ORDER BY id", "SELECT * FROM commits"):
        digest.update(repr(told.recorder.rows(sql)).encode())
    told.close()
    digest.update(repr([repr(arrival) for arrival in world.arrivals]).encode())
    digest.update(repr(world.story).encode())
    digest.update(repr(sorted(world.loop.steps.items())).encode())
    digest.update(world.loop.trace_hash().encode())
    return digest.hexdigest()
