"""Who uses the service meanwhile: portals that publish until they are acknowledged, somebody who changes webhooks."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

import aiohttp

from core.clock import SystemClock
from core.errors import ConflictError, HookledgerError, InvalidInputError, NotFoundError
from core.operations import webhook_changes, webhooks
from core.operator import ask_serve
from tests.faults.chaos.member import Member
from tests.matching.portal import Portal

BATCH = 20
PATIENCE_S = 5.0
"""How long an answer is waited for before another process is asked."""
AGAIN_S = 0.1
SWITCH_S = 0.5
"""How often a webhook is changed."""


async def moment(wait_s: float) -> None:
    """So long something else may happen."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(wait_s, passed.set)
    await passed.wait()


class Told(NamedTuple):
    """What a portal was told of an event: its position, and how many deliveries it has."""

    position: int
    deliveries: int


class People:
    """All of them, and what they were told."""

    def __init__(self, seed: int, members: Sequence[Member], token: str, urls: Sequence[str]) -> None:
        self.random = Random(seed)
        self._members, self._token, self._urls = members, token, urls
        self.acknowledged: dict[str, Told | None] = {}
        self.wrong: list[str] = []
        """What they were told twice, and not the same."""
        self.counts: Counter[str] = Counter()
        self._portal = Portal(self.random, "1", SystemClock(), [])
        self._keys = 0

    def webhook(self) -> dict[str, Any]:
        """What a new webhook asks for; it soon gives up."""
        wish = self._portal.webhook()
        url = self.random.choice(self._urls[:-1])
        return {**wish, "url": url, "triggers": tuple(wish["triggers"]), "ssl": False, "schedule_s": (1, 2)}

    async def publish(self, may: Callable[[], int]) -> None:
        """Batch by batch, as long as fewer than so many were acknowledged; -1 ends it."""
        headers = {"Authorization": f"Bearer {self._token}"}
        limit = aiohttp.ClientTimeout(PATIENCE_S)
        async with aiohttp.ClientSession(headers=headers, timeout=limit) as session:
            while (upto := may()) >= 0:
                if len(self.acknowledged) >= upto:
                    await moment(AGAIN_S)
                else:
                    await self._send(session, [self._event() for _ in range(BATCH)])

    def _event(self) -> dict[str, Any]:
        chance = self.random.random()
        portal = self._portal
        return portal.dated(portal.user() if chance < 0.02 else portal.group() if chance < 0.03 else portal.entry())

    async def _send(self, session: aiohttp.ClientSession, events: list[dict[str, Any]]) -> None:
        while True:
            # Whoever does not answer, another one may.
            urls = [member.url for member in self._members if member.takes_events and member.url is not None]
            try:
                url = f"{self.random.choice(urls or ['http://127.0.0.1:1'])}/api/ledger/events"
                async with session.post(url, json=events) as answer:
                    said = json.loads(await answer.read())
            except (aiohttp.ClientError, TimeoutError) as error:
                self.counts[type(error).__name__] += 1
                await moment(AGAIN_S)
                continue
            self.counts[f"status {answer.status}"] += 1
            if answer.status == 200:
                for one in said["events"]:
                    self._take(one)
                return
            if answer.status != 503:
                self.wrong.append(f"{answer.status}: {said}")
                return
            await moment(AGAIN_S)

    def _take(self, one: dict[str, Any]) -> None:
        if "error" in one:
            self.counts["refused"] += 1
            return
        told = Told(one["position"], one["deliveries"])
        if self.acknowledged.setdefault(one["id"], told) != told:
            self.wrong.append(f"{one['id']} was {self.acknowledged[one['id']]}, and then {told}")

    async def change_webhooks(self, numbers: list[int], until: asyncio.Event) -> None:
        """Make, change, switch and delete webhooks, each by whoever answers, under a key."""
        while not until.is_set():
            kind = self.random.choice(["create", "change", "enable", "enable", "disable", "delete"])
            number = self.random.choice(numbers)
            wish = self.webhook()
            operation: Any
            request: Any
            if kind == "create" or (kind == "delete" and len(numbers) < 6):
                operation, request = webhooks.CREATE, webhooks.CreateWebhook(**wish)
            elif kind == "change":
                operation = webhook_changes.CHANGE
                request = webhook_changes.ChangeWebhook(id=number, triggers=wish["triggers"], target=wish["target"])
            else:
                operation = getattr(webhook_changes, kind.upper())
                request = {
                    "enable": webhook_changes.EnableWebhooks,
                    "disable": webhook_changes.DisableWebhooks,
                    "delete": webhook_changes.DeleteWebhooks,
                }[kind]((number,))
            made = await self._ask(operation, request)
            if made is not None and operation is webhooks.CREATE:
                numbers.append(made.id)
            elif made is not None and kind == "delete":
                numbers.remove(number)
            await moment(SWITCH_S)

    async def _ask(self, operation: Any, request: Any) -> Any:
        """The answer, of whoever gives it; None: it may not be."""
        self._keys += 1
        while True:
            member = self.random.choice(list(self._members))
            try:
                async with asyncio.timeout(PATIENCE_S):
                    made = await ask_serve(member.data, operation, request, f"key-{self._keys}")
            except (ConflictError, NotFoundError, InvalidInputError) as error:
                self.counts[f"change refused: {error}"] += 1
                return None
            except (HookledgerError, OSError, TimeoutError) as error:
                self.counts[f"change again: {type(error).__name__}"] += 1
                await moment(AGAIN_S)
            else:
                self.counts["changes"] += 1
                return made
