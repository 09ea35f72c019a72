"""Portal events from Kafka's topics into the ledger: each once, in the order of its partition, or to the dead.

Offsets are committed only when the ledger has the events, and what is dead is written. So what comes a second time are
duplicates, which the ledger knows, and nothing is lost, whoever dies. While the ledger takes nothing nobody takes
records either, and Kafka keeps them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import NamedTuple, TypeVar

from core.alarms import Alarms, pause
from core.errors import OverloadedError
from core.gauges import Sample
from core.incoming import Checked, Rejected
from core.intake import Intake, Result
from core.ledger.fault import in_one_line, is_foreseen
from core.limits import INBOX_AGAIN_MS, INBOX_EVENTS_MAX, INBOX_STOP_S
from core.log import Log
from delivery.dead.letter import DEAD_TOPIC, Dead, at_once, letter, reason_of, shorter
from delivery.kafka.records import Incoming, Message, Outgoing, Partition, Record, Refused
from delivery.kafka_event import TenantRules, events_of_record, tenant_of

log = Log("inbox")

SOURCE = ("kafka",)
"""The way in; each event says the rest by itself."""

Answer = TypeVar("Answer")


class _Read(NamedTuple):
    """A record and its events, with the tenant that each is of."""

    record: Record
    events: list[Checked | Rejected]
    tenants: list[str]


class Inbox:
    """Takes what comes from `start` to `stop`; lives on one event loop."""

    def __init__(
        self,
        incoming: Incoming,
        outgoing: Outgoing,
        intake: Intake,
        alarms: Alarms,
        *,
        rules: TenantRules | None = None,
        dead_topic: str = DEAD_TOPIC,
    ) -> None:
        """*outgoing* takes the dead; whoever made it closes it."""
        self._incoming, self._outgoing, self._intake, self._alarms = incoming, outgoing, intake, alarms
        self._rules, self._dead_topic = rules or TenantRules(), dead_topic
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._faults: dict[str, str] = {}
        """What waits, and why."""
        self._places: set[Partition] = set()
        """Those of the records under way."""
        self._at_rest = asyncio.Event()
        self._uncommitted: dict[Partition, int] = {}
        self._committing: asyncio.Task[None] | None = None
        self.records = self.events = self.dead = self.under_way = 0

    @property
    def fault(self) -> str | None:
        """Why nothing is taken, or not all of it; None: it is."""
        return next(iter(self._faults.values()), None) or self._incoming.fault or self._outgoing.fault

    async def samples(self) -> list[Sample]:
        """For `/metrics`."""
        return [
            ("hookledger_inbox_records_total", (), self.records),
            ("hookledger_inbox_events_total", (), self.events),
            ("hookledger_inbox_dead_total", (), self.dead),
            ("hookledger_inbox_under_way", (), self.under_way),
        ]

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self, wait_s: float = INBOX_STOP_S) -> None:
        """Finish what is under way, within so many seconds, and leave; what waits for the ledger comes again later."""
        self._stopping.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                if self._task is not None:
                    await asyncio.wait((self._task,))
                if self._committing is not None:
                    await asyncio.wait((self._committing,))
        tasks = [task for task in (self._task, self._committing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._incoming.close()

    async def released(self, partitions: Collection[Partition]) -> None:
        """For who is to hand *partitions* over: returns when nothing of them is under way any more."""
        if not self._places.isdisjoint(partitions):
            await self._at_rest.wait()
        if self._committing is not None:
            await asyncio.wait((self._committing,))

    async def _run(self) -> None:
        while not self._stopping.is_set():
            records = await self._patiently("to be taken", lambda: self._unless_stopped(self._incoming.take()))
            if not records:
                return
            self.under_way, self._places = len(records), {record.place for record in records}
            self._at_rest.clear()
            try:
                if not await self._batch(records):
                    return
            finally:
                self.under_way, self._places = 0, set()
                self._at_rest.set()

    async def _batch(self, records: Sequence[Record]) -> bool:
        """Record them all, or write them to the dead; whether that came to its end before the inbox was stopped."""
        partitions: dict[Partition, list[Record]] = defaultdict(list)
        for record in records:
            partitions[record.place].append(record)
        events_max = max(INBOX_EVENTS_MAX // len(partitions), 1)
        ended = await asyncio.gather(
            *[self._record(place, some, events_max) for place, some in partitions.items() if not self._is_dead(place)]
        )
        dead = [one for found in ended if found is not None for one in found]
        if None in ended or not await self._bury(dead):
            return False
        self._done_with({place: some[-1].offset + 1 for place, some in partitions.items()})
        self.records += len(records)
        return True

    def _done_with(self, offsets: Mapping[Partition, int]) -> None:
        """These are to be committed; the next records need not wait for it."""
        self._uncommitted |= offsets
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit())

    async def _commit(self) -> None:
        while self._uncommitted:
            offsets, self._uncommitted = self._uncommitted, {}
            # Whether it is so or not: these records are done with.
            refused = await self._patiently("to be committed", partial(self._committed, offsets))
            if refused:
                log.say("inbox.not_committed", error=refused)

    def _is_dead(self, place: Partition) -> bool:
        """What was once dead does not die again."""
        return place.topic == self._dead_topic

    async def _committed(self, offsets: dict[Partition, int]) -> str:
        return await self._incoming.commit(offsets) or ""

    # Into the ledger

    async def _record(self, place: Partition, records: Sequence[Record], events_max: int) -> list[Dead] | None:
        """Those of a partition's records that are dead; None: the inbox was stopped while the rest had to wait."""
        dead: list[Dead] = []
        for stretch in self._stretches(place, records, events_max):
            results = await self._patiently(f"of {place}", partial(self._append, stretch, {}))
            if results is None:
                return None
            for read, found in zip(stretch, results, strict=True):
                errors = [result.error for result in found if isinstance(result, Rejected)]
                self.events += len(found) - len(errors)
                if errors:
                    dead.append(Dead(read.record, reason_of(errors, len(found))))
        return dead

    def _stretches(self, place: Partition, records: Sequence[Record], events_max: int) -> Iterator[list[_Read]]:
        """The records, read, in stretches of about so many events; each is read when the one before it is recorded."""
        bound = self._rules.tenant(place.topic)
        stretch: list[_Read] = []
        count = 0
        for record in records:
            events = events_of_record(record, bound)
            stretch.append(_Read(record, events, [tenant_of(event, bound) for event in events]))
            count += len(events)
            if count >= events_max:
                yield stretch
                stretch, count = [], 0
        if stretch:
            yield stretch

    async def _append(self, stretch: Sequence[_Read], answers: dict[str, list[Result]]) -> list[list[Result]]:
        """What became of the events of each record. Those of one tenant stay in their order; tenants know nothing of
        each other, so theirs go into the same commit. *answers* are known from a time before, and are kept there."""
        of_tenant: dict[str, list[Checked | Rejected]] = defaultdict(list)
        for _, events, tenants in stretch:
            for event, tenant in zip(events, tenants, strict=True):
                of_tenant[tenant].append(event)
        asked = {tenant: events for tenant, events in of_tenant.items() if tenant not in answers}
        calls = [self._intake.accept(tenant, events, SOURCE) for tenant, events in asked.items()]
        # One that fails is not to leave others under way.
        ended = dict(zip(asked, await asyncio.gather(*calls, return_exceptions=True), strict=True))
        answers.update({tenant: answer for tenant, answer in ended.items() if not isinstance(answer, BaseException)})
        for answer in ended.values():
            if isinstance(answer, BaseException):
                raise answer
        in_turn = {tenant: iter(found) for tenant, found in answers.items()}
        return [[next(in_turn[tenant]) for tenant in tenants] for _, _, tenants in stretch]

    # To the dead

    async def _bury(self, dead: Sequence[Dead]) -> bool:
        """Write them to their topic; whether that came to its end before the inbox was stopped."""
        for waiting in at_once(dead):
            if await self._patiently(f"dead, for {self._dead_topic}", partial(self._send, waiting)) is None:
                return False
        return True

    async def _send(self, waiting: list[Dead]) -> bool:
        """Take from *waiting* what the broker has. OverloadedError when there is something left."""
        outcomes = await self._outgoing.send([letter(one, self._dead_topic) for one in waiting])
        refused = {one: outcome for one, outcome in zip(waiting, outcomes, strict=True) if isinstance(outcome, Refused)}
        for one in list(waiting):
            if one not in refused:
                self._is_buried(one, waiting)
        for one, outcome in refused.items():
            # It may be for the size of another that both were refused: so as it is once more, then cut.
            if outcome.is_too_large:
                forms = chain([letter(one, self._dead_topic)], shorter(one, self._dead_topic))
                if await self._fits(forms):
                    self._is_buried(one, waiting)
        if waiting:
            raise OverloadedError(refused[waiting[0]].reason)
        return True

    async def _fits(self, messages: Iterable[Message]) -> bool:
        """Send the first of these that is not too large; whether there is one."""
        for message in messages:
            (outcome,) = await self._outgoing.send([message])
            if not isinstance(outcome, Refused):
                return True
            if not outcome.is_too_large:
                return False
        return False

    def _is_buried(self, one: Dead, waiting: list[Dead]) -> None:
        waiting.remove(one)
        self.dead += 1
        log.say("inbox.dead", offset=one.record.offset, partition=str(one.record.place), error=one.reason)

    # Patience

    async def _patiently(self, of: str, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """What *ask* answers, however often it has to be asked; None: the inbox was stopped before it did."""
        while True:
            try:
                answer = await ask()
            except Exception as error:  # noqa: BLE001 -- whatever it was, nothing may be lost by it
                self._waits(of, error)
            else:
                if self._faults.pop(of, None) is not None:
                    log.say("inbox.goes_on", of=of)
                return answer
            await self._unless_stopped(pause(self._alarms, INBOX_AGAIN_MS))
            if self._stopping.is_set():
                return None

    def _waits(self, of: str, error: Exception) -> None:
        if not is_foreseen(error):
            log.say("inbox.bug", error, of=of)
        fault = in_one_line(error, "the ledger")
        if self._faults.get(of) != fault:
            log.say("inbox.waits", of=of, error=fault)
        self._faults[of] = fault

    async def _unless_stopped(self, coming: Awaitable[Answer]) -> Answer | None:
        """What comes; None, if the inbox is stopped first."""
        task, stopping = asyncio.ensure_future(coming), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            stopping.cancel()
