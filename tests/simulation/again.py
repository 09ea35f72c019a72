"""Operators who have deliveries sent again: some by their numbers, under a key, and some by what a filter means."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.world import World

LOOKED_AT = 60
"""Deliveries from which one chooses."""
MADE_MAX = 12
"""By one filter, in all."""
UNWRITTEN = "the ledger cannot write"
"""How it begins to say that something was not done, and may be asked for once more."""


class Question:
    """Somebody asked for redeliveries, from when until when (true seconds) they were answered; None: they never were.

    Either `ids` under a `key`, or a `selection`: of its deliveries the first `limit` behind number `after`.
    """

    def __init__(self, asked_s: float, **said: Any) -> None:
        self.asked_s = asked_s
        self.answered_s: float | None = None
        self.said = said
        self.key: str = said.get("ticket", "")
        self.ids: tuple[int, ...] = tuple(said.get("ids", ()))
        self.selection: dict[str, Any] | None = said.get("selection")
        self.is_trial: bool = said.get("is_trial", False)
        self.after: int = said.get("after", 0)
        self.limit: int = said.get("limit", 0)
        self.told: list[dict[str, Any]] = []
        self.looked_to: int | None = None
        self.before: int | None = None

    def __repr__(self) -> str:
        return f"{self.said}"


class Redelivering:
    """One of the operators; the switches are with the others."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._random = Random(f"{world.plan.seed} again")
        self._keys = 0

    async def live(self, until_s: float) -> None:
        """Have something sent again now and then."""
        random = self._random
        while await self.world.loop.pause_by_chance(random, self.world.plan.again_gap_s, until_s):
            chance = random.random()
            if chance < 0.2 and (old := [each for each in self.world.questions if each.key]):
                # Typed again: the key stands for what was made, for ever.
                chosen = random.choice(old)
                await self._named(list(chosen.ids), chosen.key)
            elif chance < 0.65:
                await self._some()
            else:
                await self._selected()

    # By number.

    async def _some(self) -> None:
        """One or several, of those that one sees in a list, whatever became of them."""
        random = self._random
        states = random.choice([[], [], ["delivered"], ["failed"], ["cancelled"], ["pending", "retrying"]])
        listed = await self.world.people.ask("deliveries.list", {"limit": LOOKED_AT, "states": states})
        numbers = [each["id"] for each in (listed or {"deliveries": []})["deliveries"]]
        chosen = random.sample(numbers, min(random.choice([1, 1, 1, 2, 5]), len(numbers)))
        if random.random() < 0.1:
            chosen.append(random.choice([0, 1, 10**6]))
        if chosen:
            self._keys += 1
            await self._named(chosen, f"again-{self._keys}")

    async def _named(self, ids: list[int], key: str) -> None:
        """Ask under this key, also for what the ledger did not take, until it is made or refused."""
        while True:
            told = (await self._ask(ids=ids, ticket=key)).told
            if not any((one.get("why") or "").startswith(UNWRITTEN) for one in told):
                return
            await self.world.loop.pause(self._random.uniform(0.5, 5))

    # By filter.

    async def _selected(self) -> None:
        """As the command does it: look first, and then have made what was meant by that, page by page."""
        random, selection = self._random, self._selection()
        first = await self._ask(selection=selection, limit=MADE_MAX, is_trial=True)
        if not first.told or random.random() < 0.1:
            return
        before = {"before": first.before}
        for _ in range(random.choice([1, 1, 2])):
            left, after = random.choice([1, 3, MADE_MAX]), 0
            while left > 0 and after is not None:
                asked = await self._ask(selection=selection | before, after=after, limit=random.randint(1, left))
                left -= len(asked.told)
                after = asked.looked_to

    def _selection(self) -> dict[str, Any]:
        random, world = self._random, self.world
        selection: dict[str, Any] = {}
        if random.random() < 0.5:
            selection["webhook"] = random.choice(list(world.people.numbers))
        elif random.random() < 0.3 and world.acknowledged:
            acknowledged = random.choice(world.acknowledged)
            selection |= {"tenant": acknowledged.tenant, "event": acknowledged.id}
        states = random.choice([None, ["failed"], ["failed", "cancelled"], ["delivered"], ["retrying"], ["pending"]])
        if states is not None:
            selection["states"] = states
        if random.random() < 0.2:
            selection["statuses"] = random.choice([["5xx"], ["4xx", "5xx"], ["200"]])
        return selection or {"tenant": "1"}

    async def _ask(self, **said: Any) -> Question:
        world = self.world
        question = Question(world.loop.now_s, **said)
        world.questions.append(question)
        answer = await world.people.ask("deliveries.redeliver", said)
        if answer is None:
            world.fault("people are answered", f"redelivery of {question} is refused as a whole")
            return question
        question.answered_s = world.loop.now_s
        question.told, question.looked_to, question.before = answer["told"], answer["looked_to"], answer["before"]
        made = [(one["of"], one["number"]) for one in question.told if one["number"] is not None]
        refused = [(one["of"], one["why"]) for one in question.told if one["why"] is not None]
        world.say(f"redelivery of {question}: made {made}, refused {refused}, looked to {question.looked_to}")
        return question
