"""Redeliveries: what was sent to a webhook is sent to it again, because a person asks for that.

A redelivery is a delivery like any other, of an old portal event: it begins with `Delivery.Created`, and the outbox
does the rest. The webhook need not ask for such events any more, but its owner must still be one who may know of this
one: access is asked as of now. Only what could not be sent is refused, each with its reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import msgspec

from core.again import Again
from core.clock import Clock
from core.directory import Directory
from core.errors import OverloadedError
from core.ledger.read import Reader
from core.ledger.unit import Answer, Claim, Duplicate, Entry, Unit
from core.ledger.writer import Writer
from core.limits import REDELIVER_CHUNK
from core.matching import grounds
from core.model.delivery import Created, Redelivery
from core.model.portal_event import Received
from core.model.webhook import Webhook
from core.people import People
from core.plugins import Plugins
from core.trigger import Owner, PortalEvent

NO_LONGER = "its owner may not know of it any more"
UNASKED = "a plugin that may refuse it hung, and is left alone for a while"


class Old(NamedTuple):
    """A delivery that there is, and its portal event. `sent` is that as the portal sent it, where plugins are to be
    asked."""

    number: int
    created: Created
    received: Received
    has_payload: bool
    sent: bytes | None


def why_not(number: int, old: Old | None, webhook: Webhook | None, people: People) -> str | None:
    """Why a delivery cannot be made once more, by all that plugins need not be asked for; None: it can."""
    if old is None or webhook is None:
        return f"there is no delivery {number}"
    if webhook.deleted:
        return f"webhook {webhook.number} was deleted"
    if not webhook.enabled:
        return f"webhook {webhook.number} is disabled: enable it first"
    if not old.has_payload:
        return "what was sent was forgotten"
    if grounds(webhook, people, old.received.actor, old.received.readers) is None:
        return NO_LONGER
    return None


class Redeliveries:
    """Makes them, so many in a commit that nobody waits for long."""

    def __init__(
        self,
        directory: Directory,
        plugins: Plugins,
        writer: Writer,
        reader: Reader,
        executor: Executor,
        clock: Clock,
        random: Callable[[int], bytes],
    ) -> None:
        self._directory, self._plugins, self._writer = directory, plugins, writer
        self._reader, self._executor = reader, executor
        self._clock, self._random = clock, random

    async def make(self, numbers: Sequence[int], *, by: str, ticket: str, is_trial: bool = False) -> list[Again]:
        """Redeliveries of these deliveries, in this order. Asked again under the same *ticket*, the answer is what was
        made the first time. *is_trial*: nothing is made, only judged. Where the ledger cannot write, the rest is
        refused, so that it is known what was made."""
        told: list[Again] = []
        for start in range(0, len(numbers), REDELIVER_CHUNK):
            some = numbers[start : start + REDELIVER_CHUNK]
            loop = asyncio.get_running_loop()
            olds = await loop.run_in_executor(self._executor, self._read, some)
            judged = self._judge(some, olds)
            if is_trial:
                told += judged
                continue
            try:
                judged = await self._made_before(judged, olds, ticket)
                told += await self._record(judged, olds, by, ticket)
            except OverloadedError as error:
                told += [
                    one if one.number else msgspec.structs.replace(one, why=one.why or str(error)) for one in judged
                ]
                rest = numbers[start + REDELIVER_CHUNK :]
                return told + [Again(number, None, why=str(error)) for number in rest]
        return told

    def _read(self, numbers: Sequence[int]) -> dict[int, Old]:
        """Those that there are, from the ledger; blocks."""
        created = {
            number: recorded.event
            for number, recorded in self._reader.at(numbers).items()
            if isinstance(recorded.event, Created)
        }
        received = self._reader.first_of({event.event for event in created.values()})
        positions = [recorded.position for recorded in received.values()]
        payloads = self._reader.have_payloads(positions)
        bodies = self._reader.bodies(positions) if self._plugins.has_can_see or self._plugins.faults else {}
        olds: dict[int, Old] = {}
        for number, event in created.items():
            position, _, _, of = received[event.event]
            assert isinstance(of, Received)
            body = bodies.get(position)
            olds[number] = Old(number, event, of, position in payloads, None if body is None else body.data)
        return olds

    def _judge(self, numbers: Sequence[int], olds: Mapping[int, Old]) -> list[Again]:
        told = []
        doubts: dict[str, list[tuple[int, tuple[Owner, PortalEvent]]]] = {}
        for index, number in enumerate(numbers):
            old = olds.get(number)
            webhook = None if old is None else self._directory.by_number.get(old.created.webhook)
            people = People() if webhook is None else self._directory.tenant(webhook.tenant).people
            why = why_not(number, old, webhook, people)
            told.append(Again(number, None if webhook is None else webhook.number, why=why))
            if why is None and old is not None and webhook is not None:
                doubt = self._doubt(old, webhook, people)
                if doubt is not None:
                    doubts.setdefault(webhook.tenant, []).append((index, doubt))
        for tenant, asked in doubts.items():
            reasons = self._ask_plugins([pair for _, pair in asked], self._directory.tenant(tenant).people)
            for (index, _), why in zip(asked, reasons, strict=True):
                told[index] = msgspec.structs.replace(told[index], why=why)
        return told

    def _ask_plugins(self, pairs: Sequence[tuple[Owner, PortalEvent]], people: People) -> Sequence[str | None]:
        """Why each may not be, by what plugins say; also when one that may refuse cannot be asked."""
        try:
            self._plugins.check(())
        except OverloadedError as error:
            return [str(error)] * len(pairs)
        allowed = self._plugins.can_see(pairs, people)
        if allowed is None:
            return [UNASKED] * len(pairs)
        return [None if may else NO_LONGER for may in allowed]

    def _doubt(self, old: Old, webhook: Webhook, people: People) -> tuple[Owner, PortalEvent] | None:
        """What plugins are to be asked, who may still refuse; None: nothing."""
        of = old.received
        owner = None if webhook.owner is None else people.person(webhook.owner)
        if owner is None or owner.id == of.actor or old.sent is None:
            return None
        data = msgspec.json.decode(old.sent, type=_Sent).data
        time = of.at if of.time is None else of.time
        event = PortalEvent(
            tenant=of.tenant, id=of.id, type=of.type, data=data, time=time, actor=of.actor, readers=of.readers
        )
        return Owner(owner.id, owner.role, owner.groups), event

    async def _made_before(self, judged: Sequence[Again], olds: Mapping[int, Old], ticket: str) -> list[Again]:
        """Where one is refused that was made under this ticket, when it could be: the answer is what was made then."""
        refused = [one for one in judged if one.why is not None and one.of in olds]
        if not refused:
            return list(judged)
        made = await self._writer.holders([_claim(olds[one.of], ticket) for one in refused])
        known = {one.of: number for one, number in zip(refused, made, strict=True) if number is not None}
        return [
            msgspec.structs.replace(one, number=known[one.of], why=None) if one.of in known else one for one in judged
        ]

    async def _record(self, judged: Sequence[Again], olds: Mapping[int, Old], by: str, ticket: str) -> list[Again]:
        """Make those that were not refused."""
        wanted = [one for one in judged if one.why is None and one.number is None]
        units = [self._unit(olds[one.of], by, ticket) for one in wanted]
        answers = iter(await self._writer.append(units) if units else ())
        return [
            msgspec.structs.replace(one, number=_position(next(answers)))
            if one.why is None and one.number is None
            else one
            for one in judged
        ]

    def _unit(self, old: Old, by: str, ticket: str) -> Unit:
        now, tenant = self._clock.now_ms(), old.created.tenant
        stream = now.to_bytes(6, "big") + self._random(10)
        event = Created(tenant, now, old.created.webhook, old.created.event, Redelivery(old.number, by))
        return Unit([Entry(stream, 1, event)], _claim(old, ticket))


class _Sent(msgspec.Struct):
    """Of an event as the portal sent it, what is not recorded beside it."""

    data: dict[str, Any]


def _claim(old: Old, ticket: str) -> Claim:
    return Claim(f"redelivery:{old.created.tenant}", f"{old.number}/{ticket}")


def _position(answer: Answer) -> int:
    if isinstance(answer, Duplicate):
        return answer.position
    assert type(answer) is int, "a stream of random bytes is nobody else's, and nothing else is counted on"
    return answer
