"""Portal events from Kafka's topics into the ledger: each once, in the order of its partition, or to the dead.

Offsets are committed only when the ledger has the events, and what is dead is written. So what comes a second time are
duplicates, which the ledger knows, and nothing is lost, whoever dies. While the ledger takes nothing nobody takes
records either, and Kafka keeps them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeVar

from core.alarms import pause
from core.gauges import Sample
from core.incoming import Checked, Rejected
from core.intake import Result
from core.ledger.fault import in_one_line, is_foreseen
from core.limits import INBOX_AGAIN_MS, INBOX_EVENTS_MAX, INBOX_STOP_S
from core.log import Log
from core.office import Office
from delivery.dead.burial import Burial
from delivery.dead.letter import DEAD_TOPIC, Dead, at_once, reason_of
from delivery.kafka.records import Incoming, Outgoing, Partition, Record
from delivery.kafka_event import TenantRules, events_of_record, tenant_of
from delivery.membership import Membership

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
        office: Office,
        *,
        rules: TenantRules | None = None,
        dead_topic: str = DEAD_TOPIC,
    ) -> None:
        """*outgoing* takes the dead; whoever made it closes it."""
        self._incoming, self._burial = incoming, Burial(outgoing, dead_topic)
        self._intake, self._alarms = office.intake, office.alarms
        self._rules = rules or TenantRules()
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._faults: dict[str, str] = {}
        """What waits, and why."""
        self._places: set[Partition] = set()
        """Those of the records under way."""
        self._under_way: asyncio.Task[bool] | None = None
        self._at_rest = asyncio.Event()
        self._membership = Membership("portal events", incoming, office, self._abandon)
        self._uncommitted: dict[Partition, int] = {}
        self._committing: asyncio.Task[None] | None = None
        self.records = self.events = self.under_way = 0

    @property
    def dead(self) -> int:
        """Records that were written to the dead."""
        return self._burial.count

    @property
    def fault(self) -> str | None:
        """Why nothing is taken, or not all of it; None: it is."""
        faults = (self._membership.reason, *self._faults.values(), self._incoming.fault, self._burial.fault)
        return next((fault for fault in faults if fault is not None), None)

    async def samples(self) -> list[Sample]:
        """For `/metrics`."""
        return [
            ("hookledger_inbox_records_total", (), self.records),
            ("hookledger_inbox_events_total", (), self.events),
            ("hookledger_inbox_dead_total", (), self.dead),
            ("hookledger_inbox_under_way", (), self.under_way),
        ]

    def start(self) -> None:
        self._running = asyncio.create_task(self._run())
        self._looking = asyncio.create_task(self._membership.look_often())

    async def stop(self, wait_s: float = INBOX_STOP_S) -> None:
        """Finish what is under way, within so many seconds, and leave; what waits for the ledger comes again later."""
        self._stopping.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                if self._running is not None:
                    await asyncio.wait((self._running,))
                if self._committing is not None:
                    await asyncio.wait((self._committing,))
        tasks = [task for task in (self._running, self._looking, self._committing) if task is not None]
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
            if self._membership.is_out:
                # They were read before it left.
                continue
            self.under_way, self._places = len(records), {record.place for record in records}
            self._at_rest.clear()
            batch = self._under_way = asyncio.create_task(self._batch(records))
            try:
                await asyncio.wait((batch,))
            finally:
                batch.cancel()
                self.under_way, self._places = 0, set()
                self._at_rest.set()
            if not batch.cancelled() and not batch.result():
                return

    def _abandon(self) -> None:
        """What is under way, and what is not committed yet, is for others: they begin before it."""
        self._uncommitted.clear()
        if self._under_way is not None:
            self._under_way.cancel()

    async def _batch(self, records: Sequence[Record]) -> bool:
        """Record them all, or write them to the dead; whether that came to its end before the inbox was stopped."""
        partitions: dict[Partition, list[Record]] = defaultdict(list)
        for record in records:
            partitions[record.place].append(record)
        events_max = max(INBOX_EVENTS_MAX // len(partitions), 1)
        ended = await asyncio.gather(*[self._record(place, some, events_max) for place, some in partitions.items()])
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
            if await self._patiently(f"dead, for {self._burial.topic}", partial(self._burial.bury, waiting)) is None:
                return False
        return True

    # Patience

    async def _patiently(self, of: str, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """What *ask* answers, however often it has to be asked; None: the inbox was stopped before it did."""
        try:
            while True:
                try:
                    answer = await ask()
                except Exception as error:  # noqa: BLE001 -- whatever it was, nothing may be lost by it
                    self._waits(of, error)
                else:
                    if of in self._faults:
                        log.say("inbox.goes_on", of=of)
                    return answer
                await self._unless_stopped(pause(self._alarms, INBOX_AGAIN_MS))
                if self._stopping.is_set():
                    return None
        finally:
            self._faults.pop(of, None)

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
