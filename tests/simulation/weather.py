"""What goes wrong: processes and machines die, networks part, disks fail, names lie, clocks jump; then all is well."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.receiver import Receiver
    from tests.simulation.world import World

BREAKABLE = {
    "Follower._transaction", "Reader.after", "Reader.secret", "Reader.stream", "Reader.at", "Views.make_anew",
    "Redeliveries._read", "stock", "numbers_of", "count", "due", "fates", "found.<locals>.look", "_told",
}  # fmt: skip
"""Work that a broken disk does not do."""
MENDED_S = 10.0
"""Within so long damaged views are made anew, where the disk is not broken as well."""
STEPS_MAX = 600
"""Callbacks on a machine after which it dies: one request of a portal and what follows it take some dozens."""


def malformed() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


class Weather:
    """Draws what happens, and when it passes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._random = Random(f"{world.plan.seed} weather")
        self._disk_random = Random(f"{world.plan.seed} disk")
        self._disk_mood = "good"
        self._are_views_damaged = False
        self._damaged: list[float] = []
        """When the damage was met (true seconds)."""
        self._cuts: list[tuple[str, str]] = []
        self._is_over = False
        self.troubled: list[tuple[float, float]] = []
        """True times (seconds) between which the network was not what it should be."""
        self.broken: list[tuple[float, float]] = []
        self.slow: list[tuple[float, float]] = []
        """The same of the disk."""
        self._happenings: dict[Callable[[], None], int] = {
            self._part: 20,
            self._reset: 20,
            self._slow_network: 5,
            self._slow_disk: 8,
            self._break_disk: 8,
            self._damage_views: 4,
            self._names: 8,
            self._receiver_dies: 10,
            self._receiver_refuses: 10,
            self._turn_clock: 40 if world.plan.turns_clock else 0,
        }

    # The disk, as the loop asks for it.

    def disk(self, threads: str, what: str) -> tuple[float, Exception | None]:
        random = self._disk_random
        took_s = random.uniform(*self.world.plan.disk_s)
        if self._disk_mood == "slow":
            took_s *= random.uniform(1, 10 if threads == "reader" else 60)
        if self._are_views_damaged and what == "Follower._transaction":
            self._are_views_damaged = False
            self._damaged.append(self.world.loop.now_s)
            return took_s, malformed()
        if self._disk_mood == "broken" and what in BREAKABLE and random.random() < 0.7:
            return took_s, sqlite3.OperationalError("disk I/O error")
        return took_s, None

    def is_refused(self) -> bool:
        """Whether the disk refuses what the ledger's writer just asks of it: a few statements of a transaction."""
        return self._disk_mood == "broken" and self._disk_random.random() < 0.1

    def loses_answer(self) -> bool:
        """Whether it did it nevertheless."""
        return self._disk_random.random() < 0.5

    def had_broken_disk(self, at_s: float) -> bool:
        """Whether the disk may have refused something just before."""
        return any(since <= at_s <= until + 5 for since, until in self.broken)

    def hides_data(self, at_s: float) -> bool:
        """Whether what is read may not have been there just before."""
        return self.had_broken_disk(at_s) or any(0 <= at_s - since <= MENDED_S for since in self._damaged)

    def had_slow_disk(self, at_s: float) -> bool:
        """Whether work may have waited for the disk."""
        return any(since <= at_s <= until + 5 for since, until in self.slow)

    def was_troubled(self, since_s: float, until_s: float) -> bool:
        """Whether packets may have waited somewhere meanwhile."""
        return any(since <= until_s and since_s <= until for since, until in self.troubled)

    # The drawing.

    async def live(self, until_s: float) -> None:
        kinds = [
            (self.world.plan.fault_gap_s, self._something),
            (self.world.plan.kill_gap_s, self._end_epoch),
            (self.world.plan.mood_gap_s, self._change_mood),
            (self.world.plan.active_s / 10, self._copy),
        ]
        await asyncio.gather(*(self._again_and_again(gap_s, what, until_s) for gap_s, what in kinds))

    async def _again_and_again(self, gap_s: float, what: Callable[[], None], until_s: float) -> None:
        while await self.world.loop.pause_by_chance(self._random, gap_s, until_s):
            what()

    def _something(self) -> None:
        (happening,) = self._random.choices(list(self._happenings), list(self._happenings.values()))
        happening()

    def heal(self) -> None:
        """From here on all is well."""
        self._is_over = True
        self._disk_mood, self.world.names.mood = "good", "good"
        self._are_views_damaged = False
        self._cuts.clear()
        self.apply_cuts()
        self._set_latency(self.world.plan.latency_s)
        for receiver in self.world.receivers:
            receiver.moods.clear()
            if not receiver.is_listening:
                self._start(receiver.boot())
        if self.world.home.epoch is None:
            self.world.home.boot()
        self.world.say("from here on all is well")

    def _start(self, coroutine) -> None:
        self.world.start(coroutine)

    def _later(self, wait_s: float, then: Callable[[], None]) -> None:
        """It passes, unless all has been healed before."""
        self.world.loop.call_later(wait_s, lambda: None if self._is_over else then())

    def _duration(self) -> float:
        return self._random.choice([0.5, 5, 40, 300]) * self._random.uniform(0.5, 2)

    # The service's machine.

    def _end_epoch(self) -> None:
        """It dies at some step of what it does next, or is stopped, and maybe dies of that."""
        world, random = self.world, self._random
        epoch = world.home.epoch
        if epoch is None:
            return
        if random.random() < 0.25 and world.home.is_ready:
            world.home.stop()
            self._start(self._boot_when_ended())
            if random.random() < 0.7:
                return
        world.loop.trap(epoch.machine, random.randint(1, STEPS_MAX), lambda: self._kill(epoch.machine))

    def _kill(self, machine: str) -> None:
        home, random = self.world.home, self._random
        if self._is_over or home.epoch is None or home.epoch.machine != machine:
            return
        was_stopping = home.epoch.stop.is_set()
        home.kill(is_power_cut=random.random() < 0.4)
        if not was_stopping:
            self._start(self._boot_when_ended())

    async def _boot_when_ended(self) -> None:
        world, random = self.world, self._random
        await world.home.ended()
        wait_s = random.choice([0.01, 1, 20, 300]) * random.uniform(0.5, 2)
        await world.loop.pause(wait_s)
        if world.home.epoch is None:
            world.home.boot()
            if random.random() < 0.3 and not self._is_over:
                machine = world.home.epoch.machine
                world.loop.trap(machine, random.randint(1, 60), lambda: self._kill(machine))

    def _copy(self) -> None:
        if self.world.home.epoch is not None and self.world.home.is_ready:
            self.world.home.copy()

    # The network.

    def _part(self) -> None:
        """The service no longer reaches somebody, who may be everybody."""
        world = self.world
        roles = sorted(set(world.roles) - {"ledger"})
        others = roles if self._random.random() < 0.2 else [self._random.choice(roles)]
        cuts = [("ledger", other) for other in others]
        self._cuts += cuts
        self.apply_cuts()
        duration = self._duration()
        world.say(f"the service is cut off from {', '.join(others)} for {duration:.1f} s")
        self.troubled.append((world.loop.now_s, world.loop.now_s + duration))

        def mend() -> None:
            for cut in cuts:
                self._cuts.remove(cut)
            self.apply_cuts()

        self._later(duration, mend)

    def apply_cuts(self) -> None:
        """Part the network as it is to be, whichever machines there are by now."""
        net, roles = self.world.loop.net, self.world.roles
        net.heal()
        for one, other in self._cuts:
            if one in roles and other in roles:
                net.partition([roles[one]], [roles[other]])

    def _reset(self) -> None:
        """Some connections are reset on the way, within the next moments."""
        for _ in range(self._random.randint(1, 6)):
            self._later(self._random.uniform(0, 60), self._reset_one)

    def _reset_one(self) -> None:
        lines = self.world.loop.lines()
        if lines:
            end = self._random.choice(lines)
            self.world.say(f"a connection between {end._local[0]} and {end._remote[0]} is reset")
            self.world.loop.reset(end)

    def _slow_network(self) -> None:
        self._set_latency((0.1, 0.6))
        self._later(self._duration(), lambda: self._set_latency(self.world.plan.latency_s))

    def _set_latency(self, latency_s: tuple[float, float]) -> None:
        self.world.loop.net.set_defaults(latency=latency_s)

    def _names(self) -> None:
        names = self.world.names
        names.mood = self._random.choice(["hanging", "failing", "lying"])
        self.world.say(f"the name service is {names.mood}")

        def mend() -> None:
            names.mood = "good"

        self._later(self._duration(), mend)

    # Disk and clock.

    def _slow_disk(self) -> None:
        self._have_disk("slow")

    def _break_disk(self) -> None:
        self._have_disk("broken")

    def _damage_views(self) -> None:
        """Whoever writes them next finds a page that is none."""
        self.world.say("the views are damaged")
        self._are_views_damaged = True

    def _have_disk(self, mood: str) -> None:
        self._disk_mood = mood
        self.world.say(f"the disk is {mood}")
        duration = self._duration()
        spells = self.broken if mood == "broken" else self.slow
        spells.append((self.world.loop.now_s, self.world.loop.now_s + duration))

        def mend() -> None:
            self._disk_mood = "good"

        self._later(duration, mend)

    def _turn_clock(self) -> None:
        ms = self._random.choice([-1, 1]) * self._random.choice([40, 3_000, 3_600_000])
        self.world.say(f"the service's clock is set by {ms} ms")
        self.world.wall.step(ms)

    # Receivers.

    def _change_mood(self) -> None:
        paths = [(receiver, path) for receiver in self.world.receivers for path in receiver.moods]
        if paths:
            receiver, path = self._random.choice(paths)
            receiver.moods[path] = self.world.plan.mood(self._random)
            self.world.say(f"{path} is {receiver.moods[path]}")

    def _receiver_dies(self) -> None:
        receiver = self._random.choice(self.world.receivers)
        if receiver.is_listening:
            is_power_cut = self._random.random() < 0.5
            self.world.say(f"{receiver.machine} dies{' in the dark' if is_power_cut else ''}")
            receiver.crash(is_power_cut=is_power_cut)
            self._later(self._duration(), lambda: self._revive(receiver))

    def _receiver_refuses(self) -> None:
        receiver = self._random.choice(self.world.receivers)
        if receiver.is_listening:
            self.world.say(f"{receiver.machine} refuses connections")
            receiver.refuse()
            self._later(self._duration(), lambda: self._revive(receiver))

    def _revive(self, receiver: Receiver) -> None:
        if not receiver.is_listening:
            self._start(receiver.boot())
