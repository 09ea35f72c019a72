"""Everything that shares one ledger, and what is done to it: killed, paused, cut off, its database stopped."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from core.ledger.store import Place
from core.limits import LEASE_S, MARK_S
from core.operations import tokens, webhooks
from core.operator import Ledger, ask
from delivery.url_check import url_check_allowing
from tests.end_to_end.place import LOOPBACK, ROOT
from tests.faults.chaos.member import Member, now_s
from tests.faults.chaos.people import People, moment
from tests.faults.chaos.server import Server
from tests.postgres import ENVIRONMENT

SEATS: dict[str, tuple[str, ...]] = {
    "api-1": ("api",), "api-2": ("api",), "whole": (), "carrier": ("outbox", "worker"),
}  # fmt: skip
PATHS = ("one", "two", "three", "bad")
PUBLISHERS = 4
NOTICED_S = 10.0
"""So soon everybody says that the database is away, and that it is back."""
ENDS_S = 15.0
"""So soon a process ends that is told to, whatever is away."""
END_S = MARK_S + 20
"""So soon after another one each delivery has come to its end, or something is wrong."""


class Plan(NamedTuple):
    """How much of everything."""

    events: int
    kills: int
    stops: int
    cuts: int
    pauses: int

    def steps(self, random: Random) -> list[str]:
        """In which order. Whoever carries is killed, or paused, early enough that marks run out meanwhile."""
        early = ["pause"] * self.pauses + ["kill the leader"] * (self.kills // 3) + ["kill"] * (self.kills // 3)
        late = ["cut"] * self.cuts + ["stop"] * self.stops + ["kill a door"] * (self.kills - 2 * (self.kills // 3))
        random.shuffle(late)
        early += late[: len(late) // 2]
        random.shuffle(early)
        return early + late[len(late) // 2 :]


class Trouble(NamedTuple):
    """What was done, to whom (all: empty), from when to when."""

    kind: str
    name: str
    began: float
    ended: float


class World:
    """From `begin` to `close`."""

    seats: Mapping[str, tuple[str, ...]] = SEATS
    end_s = END_S

    def __init__(self, folder: Path, plan: Any, seed: int, say: Callable[[str], None]) -> None:
        self.plan, self.random, self._say = plan, Random(seed), say
        self.received_log, self._folder = folder / "received.log", folder
        self.received_log.touch()
        self.server = Server()
        self.members = [self.member(name, roles) for name, roles in self.seats.items()]
        self.gone: list[Member] = []
        """Those that were there for a while only."""
        self.troubles: list[Trouble] = []
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.noticed_s: list[float] = []
        self.ready_again_s: list[float] = []
        """How long after each stop all said so, and after each start that it is over."""
        self.ended_s: list[float] = []
        """How long those took to end that were told to."""
        self.people: People
        self._numbers: list[int] = []
        self._keeping: list[asyncio.Task[None]] = []
        self._receiver: asyncio.subprocess.Process | None = None
        self._seed, self._share = seed, 0.0

    def member(self, name: str, roles: tuple[str, ...]) -> Member:
        return Member(name, roles, self._folder, self.server.database)

    def make_people(self, token: str, urls: list[str]) -> People:
        return People(self._seed, self.members, token, urls)

    async def begin(self) -> None:
        self._receiver = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.chaos.receiver", str(self.received_log),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        port = int(await self._receiver.stdout.readline())
        urls = [f"http://127.0.0.1:{port}/{path}" for path in PATHS]
        place = Place(self._folder / "desk", self.server.database)
        ledger = Ledger(place, ENVIRONMENT, url_check_allowing((LOOPBACK,)))
        made = await ask(ledger, tokens.CREATE, tokens.CreateToken("portal"))
        self.people = self.make_people(made.token, urls)
        for url in urls:
            # Whoever fails is asked one at a time: it gets little.
            triggers = ("file.moved",) if url.endswith("bad") else ()
            asked = webhooks.CreateWebhook("any", url, triggers, ssl=False, schedule_s=(1, 2))
            self._numbers.append((await ask(ledger, webhooks.CREATE, asked)).id)
        self._keeping = [asyncio.create_task(member.keep()) for member in self.members]
        await self._until_ready()

    async def run(self) -> None:
        """All of the plan, under load; then whatever waits comes to its end, and all processes to theirs."""
        is_over = asyncio.Event()
        steps = self.plan.steps(self.random)

        def may() -> int:
            """Load goes on as long as the trouble does."""
            if is_over.is_set():
                return -1
            return round(self.plan.events * self._share)

        changing = asyncio.create_task(self.people.change_webhooks(self._numbers[2:], is_over))
        publishing = [asyncio.create_task(self.people.publish(may)) for _ in range(PUBLISHERS)]
        for number, step in enumerate(steps):
            self._share = (number + 1) / len(steps)
            await moment(self.random.uniform(0.3, 1.5))
            self._say(f"{number + 1} of {len(steps)}: {step}; {len(self.people.acknowledged)} acknowledged")
            await self.do(step)
        while len(self.people.acknowledged) < self.plan.events:
            await moment(0.2)
        is_over.set()
        await asyncio.gather(changing, *publishing)
        await self._until_ready()
        await self._until_ended()
        await self._end()

    async def do(self, step: str) -> None:
        match step:
            case "kill the leader":
                await self.kill(await self.leader())
            case "kill":
                await self.kill(self.random.choice(self.members))
            case "kill a door":
                await self.kill(self.random.choice([one for one in self.members if not one.carries]))
            case "pause":
                await self.pause(await self.leader())
            case "cut":
                with self.trouble("cut"):
                    cut = await self.server.cut(self.random.choice([0.1, 0.3, 1.0]))
                self.counts["connections cut"] += cut
                self.counts["cuts"] += 1
            case "stop":
                await self.stop()

    @contextmanager
    def trouble(self, kind: str, name: str = "") -> Iterator[None]:
        began = now_s()
        try:
            yield
        finally:
            self.troubles.append(Trouble(kind, name, began, now_s()))

    async def kill(self, member: Member) -> None:
        async with asyncio.timeout(60):
            while not member.is_running:
                await moment(0.05)
        with self.trouble("kill", member.name):
            member.signal(signal.SIGKILL)
            await member.process.wait()
        self.counts["kills"] += 1

    async def pause(self, member: Member) -> None:
        """Longer than its lease, and then it goes on as if nothing was."""
        with self.trouble("pause", member.name):
            member.signal(signal.SIGSTOP)
            await moment(LEASE_S + self.random.uniform(1, 4))
            member.signal(signal.SIGCONT)
        self.counts["pauses"] += 1

    async def leader(self) -> Member:
        async with asyncio.timeout(60):
            while True:
                for member in self.members:
                    if member.is_running and member.carries and await member.leads():
                        return member
                await moment(0.1)

    async def stop(self) -> None:
        """All say so, and say when it is over; one that is told to end meanwhile does."""
        with self.trouble("stop"):
            await self.server.stop()
            stopped = now_s()
            is_told = self.counts["stops"] % 2 == 0
            running = [member for member in self.members if member.has_started]
            await self._until(lambda said: said is None or _is_database(said), NOTICED_S, "does not say it is away")
            self.noticed_s.append(now_s() - stopped)
            if is_told and running:
                await self.ends(self.random.choice(running))
            await moment(self.random.uniform(0.0, 2.0))
            await self.server.start()
        started = now_s()
        await self._until(lambda said: said is None or said[0] == 200, 2 * NOTICED_S, "is not ready again")
        self.ready_again_s.append(now_s() - started)
        self.counts["stops"] += 1

    async def ends(self, member: Member) -> None:
        """Told to end it ends in time, in order."""
        process, began = member.process, now_s()
        try:
            with self.trouble("end", member.name):
                member.signal(signal.SIGTERM)
                async with asyncio.timeout(ENDS_S):
                    code = await process.wait()
            self.ended_s.append(now_s() - began)
        except TimeoutError:
            self.problems.append(f"{member.name} did not end within {ENDS_S} s of SIGTERM at {began:.3f}")
            # With the stacks of all its threads in its log.
            process.send_signal(signal.SIGABRT)
        else:
            self.counts["told to end"] += 1
            if code:
                self.problems.append(f"{member.name} ended with {code} after SIGTERM at {began:.3f}")

    async def _until(self, holds: Callable[[tuple[int, list[str]] | None], bool], wait_s: float, why: str) -> None:
        """Wait until it holds of everybody that runs; else it is a problem."""
        until = now_s() + wait_s
        while True:
            said = {member.name: await member.ready() for member in self.members if member.has_started}
            wrong = {name: one for name, one in said.items() if not holds(one)}
            if not wrong:
                return
            if now_s() > until:
                self.problems += [f"{name} {why} within {wait_s} s: {one}" for name, one in wrong.items()]
                return
            await moment(0.1)

    async def _until_ready(self) -> None:
        async with asyncio.timeout(60):
            while not all(member.has_started for member in self.members):
                await moment(0.1)
        await self._until(lambda said: said is not None and said[0] == 200, 30, "is not ready")

    async def _until_ended(self) -> None:
        """Until no delivery waits any more, in rows that are up to the ledger; or their number stays for long."""
        until, before = now_s() + self.end_s, -1
        while True:
            ((waiting, behind),) = await self.server.rows(
                "SELECT (SELECT count(*) FROM chaos_views.outbox_1),"
                " (SELECT max(last) FROM commits) - (SELECT min(position) FROM chaos_views.tracking)"
            )
            if not waiting and not behind:
                return
            if waiting != before:
                until, before = now_s() + self.end_s, waiting
            if now_s() > until:
                self.problems.append(f"{waiting} deliveries still wait, and the views are {behind} events behind")
                return
            await moment(0.2)

    async def _end(self) -> None:
        for member in self.members:
            member.stop_keeping()
        await asyncio.gather(*(self.ends(member) for member in self.members))
        await asyncio.gather(*self._keeping)

    async def takeovers(self) -> int:
        ((term,),) = await self.server.rows("SELECT term FROM leader")
        return term - 1

    async def close(self) -> None:
        for member in self.members:
            member.stop_keeping()
            if member.is_running:
                member.signal(signal.SIGKILL)
        await asyncio.gather(*self._keeping, return_exceptions=True)
        if self._receiver is not None and self._receiver.returncode is None:
            self._receiver.kill()
            await self._receiver.wait()
        await self.server.close()


def _is_database(said: tuple[int, list[str]]) -> bool:
    return said[0] == 503 and any("ledger" in reason or "leads" in reason for reason in said[1])
