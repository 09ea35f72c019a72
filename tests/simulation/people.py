"""People at the switches: they create webhooks, switch them off and on, and delete them, while all else goes on."""

from __future__ import annotations

import json
import socket
from random import Random
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from core.errors import HookledgerError
from core.model.event import OPERATOR
from tests.simulation.home import NAME, OPERATOR_PORT
from tests.simulation.names import TrueNames

if TYPE_CHECKING:
    from tests.simulation.world import World

TENANTS = ("1", "acme")


class Commanded:
    """A command that was answered: true times (seconds) of question and answer; `what` is made, on, off or gone."""

    __slots__ = ("answered_s", "asked_s", "number", "what")

    def __init__(self, what: str, number: int, asked_s: float, answered_s: float) -> None:
        self.what, self.number, self.asked_s, self.answered_s = what, number, asked_s, answered_s


class People:
    """The operators."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._random = Random(f"{world.plan.seed} people")
        self.numbers: dict[int, str] = {}
        """Webhooks that were made, and their paths."""
        self._made = 0
        self.machine = "people"
        world.join("people", "people.example", self.machine)

    async def ask(self, operation: str, question: dict[str, Any]) -> Any:
        """Ask again until there is an answer; None: it was refused, or is not known to have been done."""
        connector = TCPConnector(resolver=TrueNames(self.world.names), family=socket.AF_INET, use_dns_cache=False)
        async with ClientSession(connector=connector) as session:
            for _ in range(100):
                try:
                    url = f"http://{NAME}:{OPERATOR_PORT}/operator/{operation}"
                    async with session.post(url, json=question, timeout=ClientTimeout(total=30)) as response:
                        if response.status == 200:
                            return json.loads(await response.read())
                except (ClientError, TimeoutError, OSError):
                    pass
                await self.world.loop.pause(1)
        return None

    async def token(self, tenant: str) -> str:
        made = await self.ask("token.create", {"role": "portal", "tenant": tenant})
        return str(made["token"])

    async def create(self, tenant: str) -> None:
        """A webhook to some receiver, in whatever mood that will be."""
        world, random = self.world, self._random
        receiver = random.choice(world.receivers)
        self._made += 1
        path = f"/{receiver.name}/w{self._made}"
        world.secrets[path] = random.choice(["S3cret-key-0123456789", "another-Secret-987654321"])
        wish = world.words.webhook() | {"name": f"w{self._made}", "url": f"http://{receiver.host}{path}", "ssl": False}
        wish |= {"tenant": tenant, "secret": world.secrets[path]}
        if random.random() < 0.5:
            wish |= {"owner": None, "triggers": [], "target": None}
        mood = receiver.moods[path] = world.plan.mood(random)
        asked = world.loop.now_s
        made = await self.ask("webhooks.create", wish)
        if made is not None:
            self.numbers[made["id"]] = path
            world.say(f"webhook {made['id']} is made: {path}, {mood}")
            world.commanded.append(Commanded("made", made["id"], asked, world.loop.now_s))

    async def live(self, until_s: float) -> None:
        """Do something now and then."""
        while await self.world.loop.pause_by_chance(self._random, self.world.plan.command_gap_s, until_s):
            await self._something()

    async def _something(self) -> None:
        random = self._random
        if random.random() < 0.15:
            await self.create(random.choice(TENANTS))
            return
        number = random.choice(list(self.numbers))
        if random.random() < 0.1:
            await self._do("gone", number)
        else:
            await self._do("on" if random.random() < 0.6 else "off", number)

    async def _do(self, what: str, number: int) -> None:
        """Once, and whether it was done is not always known."""
        world = self.world
        asked = world.loop.now_s
        if what == "on":
            world.asked_on.append((number, asked))
        try:
            if what == "gone":
                await world.home.do(lambda office: office.webhooks.delete(number, by=OPERATOR))
            else:
                await world.home.do(lambda office: office.webhooks.switch(number, enabled=what == "on", by=OPERATOR))
        except (HookledgerError, TimeoutError) as error:
            world.say(f"webhook {number} is not {what}: {error!r}")
            return
        world.say(f"webhook {number} is {what}")
        world.commanded.append(Commanded(what, number, asked, world.loop.now_s))
