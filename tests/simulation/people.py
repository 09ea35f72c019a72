"""People at the switches: they create webhooks, change them, switch them off and on, and delete them, whatever else is.

They say each thing under a key, and again until they are answered.
"""

from __future__ import annotations

import json
import socket
from random import Random
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from tests.matching.portal import GROUPS, PEOPLE, ROLES
from tests.simulation.home import NAME, OPERATOR_PORT
from tests.simulation.names import TrueNames

if TYPE_CHECKING:
    from tests.simulation.world import World

TENANTS = ("1", "acme")
SECRETS = ("S3cret-key-0123456789", "another-Secret-987654321", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
SCHEDULES = (None, None, [1], [2, 2, 600], [30, 7_200])
PATIENCE_S = 30.0
"""After it they ask again."""


def id_of(token: str) -> str:
    return token.removeprefix("hlt_").partition(".")[0]


class Commanded:
    """What somebody asked for, from when until when (true seconds) it was answered; None: it never was, or refused."""

    __slots__ = ("answer", "answered_s", "asked_s", "key", "numbers", "operation")

    def __init__(self, operation: str, numbers: list[int], key: str, asked_s: float) -> None:
        self.operation, self.numbers, self.key, self.asked_s = operation, numbers, key, asked_s
        self.answered_s: float | None = None
        self.answer: Any = None


class People:
    """The operators: one after the other, each on a machine that stays."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._random = Random(f"{world.plan.seed} people")
        self.numbers: dict[int, str] = {}
        """Webhooks that were made, and their names."""
        self._made = self._said = 0
        self.machine = "people"
        world.join("people", "people.example", self.machine)

    async def ask(self, operation: str, question: dict[str, Any], numbers: list[int] | None = None) -> Any:
        """Ask until there is an answer; None: it was refused."""
        world = self.world
        self._said += 1
        commanded = Commanded(operation, numbers or [], f"key-{self._said}", world.loop.now_s)
        world.commanded.append(commanded)
        connector = TCPConnector(resolver=TrueNames(world.names), family=socket.AF_INET, use_dns_cache=False)
        url, headers = f"http://{NAME}:{OPERATOR_PORT}/operator/{operation}", {"Idempotency-Key": commanded.key}
        async with ClientSession(connector=connector, headers=headers) as session:
            while True:
                try:
                    asking = session.post(url, json=question, timeout=ClientTimeout(total=PATIENCE_S))
                    async with asking as response:
                        status, answer = response.status, json.loads(await response.read())
                except (ClientError, TimeoutError, OSError):
                    status, answer = 0, None
                if status == 200:
                    commanded.answered_s, commanded.answer = world.loop.now_s, answer
                    return answer
                if status not in (0, 503):
                    world.say(f"{operation} {question} is refused: {answer}")
                    if status >= 500:
                        world.fault("people are answered", f"{operation}: {status} {answer}")
                    return None
                await world.loop.pause(self._random.uniform(0.5, 2))

    async def token(self, tenant: str) -> str:
        """For a portal; the token itself is shown once, so a new one is made where its answer was lost."""
        while True:
            made = await self.ask("token.create", {"role": "portal", "tenant": tenant})
            if made.get("token"):
                return str(made["token"])

    # Webhooks.

    async def create(self, tenant: str) -> None:
        """A webhook to some receiver, in whatever mood that will be."""
        world = self.world
        self._made += 1
        name = f"w{self._made}"
        wish = world.words.webhook() | {"name": name, "ssl": False, "tenant": tenant}
        if self._random.random() < 0.5:
            wish |= {"owner": None, "triggers": [], "target": None}
        wish |= {"secret": self._random.choice(SECRETS), "schedule_s": self._random.choice(SCHEDULES)}
        wish["url"] = self._url(name)
        made = await self.ask("webhooks.create", wish)
        if made is not None:
            self.numbers[made["id"]] = name
            world.say(f"webhook {made['id']} is made: {wish['url']}")

    def _url(self, name: str) -> str:
        """Of some receiver, who takes it in some mood."""
        receiver = self._random.choice(self.world.receivers)
        path = f"/{receiver.name}/{name}"
        receiver.moods[path] = self.world.plan.mood(self._random)
        self.world.say(f"{path} is {receiver.moods[path]}")
        return f"http://{receiver.host}{path}"

    async def live(self, until_s: float) -> None:
        """Do something now and then."""
        while await self.world.loop.pause_by_chance(self._random, self.world.plan.command_gap_s, until_s):
            await self._something()

    async def _something(self) -> None:
        random = self._random
        chance = random.random()
        if chance < 0.15:
            await self.create(random.choice(TENANTS))
        elif chance < 0.35:
            await self._change(random.choice(list(self.numbers)))
        elif chance < 0.42:
            await self._do("delete", [random.choice(list(self.numbers))])
        elif chance < 0.48:
            await self._look()
        elif chance < 0.54:
            await self._publish(random.choice(TENANTS))
        elif chance < 0.6:
            await self._import(random.choice(TENANTS))
        elif chance < 0.63:
            await self._new_token()
        else:
            numbers = random.sample(list(self.numbers), min(random.choice([1, 1, 1, 2]), len(self.numbers)))
            await self._do("enable" if random.random() < 0.65 else "disable", numbers)

    async def _do(self, what: str, numbers: list[int]) -> None:
        done = await self.ask(f"webhooks.{what}", {"ids": numbers}, numbers)
        self.world.say(f"{what} of {numbers}: {'refused' if done is None else 'done'}")

    async def _change(self, number: int) -> None:
        """Some of what it is becomes something else."""
        random, wish = self._random, self.world.words.webhook()
        changes: dict[str, Any] = {"id": number}
        if random.random() < 0.5:
            changes["url"] = self._url(self.numbers[number])
        if random.random() < 0.5:
            changes["secret"] = random.choice(SECRETS)
        if random.random() < 0.4:
            changes |= {name: wish[name] for name in ("triggers", "target", "owner")}
        if random.random() < 0.3:
            changes["schedule_s"] = random.choice(SCHEDULES)
        done = await self.ask("webhooks.change", changes, [number])
        self.world.say(f"change of {changes}: {'refused' if done is None else 'done'}")

    async def _look(self) -> None:
        """Look at lists, and at a delivery."""
        listed = await self.ask("deliveries.list", {"limit": 20})
        if listed and listed["deliveries"]:
            await self.ask("deliveries.show", {"id": self._random.choice(listed["deliveries"])["id"]})
        await self.ask("webhooks.list", {})
        await self.ask("top", {})

    # What else an operator does.

    async def _publish(self, tenant: str) -> None:
        """Events, some of them no news, from the machine itself."""
        world = self.world
        events = json.loads(world.words.batch())
        done = await self.ask("event.publish", {"tenant": tenant, "events": events})
        if done is not None:
            refused = {one["index"] for one in done["refused"]}
            ids = [event["id"] for index, event in enumerate(events) if index not in refused]
            world.published += [(tenant, id, world.loop.now_s) for id in ids]

    async def _import(self, tenant: str) -> None:
        """Who is who, told once more."""
        random, persons = self._random, []
        for id in random.sample(PEOPLE, 3):
            person = {
                "id": id,
                "role": random.choice(ROLES),
                "status": random.choice(["active", "active", "terminated"]),
            }
            persons.append(person | {"groups": random.sample(GROUPS, random.randint(0, 2))})
        await self.ask("users.import", {"tenant": tenant, "persons": persons})

    async def _new_token(self) -> None:
        """A portal gets another token, and its old one speaks no longer."""
        portal = self._random.choice(self.world.portals)
        old, token = portal.token, await self.token(portal.tenant)
        portal.token = token
        await self.ask("token.revoke", {"ids": [id_of(old)]})
        self.world.revoked[old] = self.world.loop.now_s
