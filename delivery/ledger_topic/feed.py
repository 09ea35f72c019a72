"""Tells on a topic of Kafka what is recorded of webhooks and deliveries, where this process leads.

One batch after the other, in the order of the ledger: from the tail in memory, from disk when it is behind. How far it
has come is kept beside the views, and moves only when the broker has all of it. So each event is told at least once,
and nobody waits for it: while Kafka is away nothing gathers here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from core.alarms import pause
from core.errors import ConflictError, OverloadedError
from core.gauges import Sample
from core.ledger.fault import FAULTS, in_one_line, is_foreseen
from core.ledger.tail import Segment
from core.ledger.unit import Body, Recorded
from core.ledger.view_store import FED, Writing
from core.limits import (
    LEDGER_FED_AGAIN_MS,
    LEDGER_FED_BYTES_MAX,
    LEDGER_FED_EVENTS_MAX,
    LEDGER_FED_KEEP_MS,
    LEDGER_FED_MS,
    LEDGER_FED_STOP_S,
    READ_EVENTS_MAX,
)
from core.log import Log
from core.office import Office
from delivery.kafka.records import Message, Outgoing, Refused
from delivery.ledger_topic.event import Known, again, message_of, portal_events

log = Log("feed")

RECORD_BYTES = 100
"""Of a record, beside its value: key, headers, and what is Kafka's."""

Answer = TypeVar("Answer")


class Fed:
    """A view without rows: how far a topic was told."""

    tables: Sequence[str] = ()

    def __init__(self, topic: str) -> None:
        self.name = f"{FED}1 {topic}"

    def take(self, events: Sequence[Recorded], bodies: Mapping[int, Body]) -> None:
        """Nothing is made of them."""

    def drain(self) -> None:
        """Nothing was gathered."""

    def write(self, connection: Writing, batch: Any) -> None:
        """There are no rows."""

    def written(self, batch: Any) -> None:
        """There was nothing to write."""


class LedgerFeed:
    """Tells from `lead` to `stand_down`, or to `stop`, which comes once; lives on one event loop."""

    def __init__(self, office: Office, outgoing: Outgoing, topic: str) -> None:
        """*outgoing* is for this alone; whoever made it closes it."""
        self._office, self._outgoing, self._topic = office, outgoing, topic
        self._name = Fed(topic).name
        self._task: asyncio.Task[None] | None = None
        self._last: asyncio.Task[None] | None = None
        """Of the term before, until it has ended."""
        self._arrived = asyncio.Event()
        self._waits_for = 0
        """At this position it goes on."""
        self._goal: int | None = None
        """Where it ends; None: nowhere."""
        self._told = self._kept = 0
        """Positions up to which all was told, and up to which that is written down."""
        self._told_at = self._kept_at = 0
        """When it was last begun to tell some, and when it was last written down (of the steady clock)."""
        self._oldest: int | None = None
        """When the first was recorded of those that are being told."""
        self._fault: str | None = None
        self.records = 0
        if office.mending is not None:
            office.mending.anew[self._name] = partial(Fed, topic)

    @property
    def fault(self) -> str | None:
        """Why what is recorded waits; None: it does not, or another process tells it."""
        return None if self._task is None else self._fault or self._outgoing.fault

    async def samples(self) -> list[Sample]:
        """For `/metrics`."""
        samples: list[Sample] = [("hookledger_feed_records_total", (), self.records)]
        if self._task is not None:
            now, oldest = self._office.clock.now_ms(), self._oldest
            samples.append(("hookledger_feed_lag_positions", (), max(self._office.writer.head - self._told, 0)))
            samples.append(("hookledger_feed_lag_seconds", (), 0 if oldest is None else max(now - oldest, 0) / 1_000))
        return samples

    def lead(self) -> None:
        """This process leads: go on from where the one before has come to."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(self._last))

    def stand_down(self) -> None:
        """Another process leads. What is on its way may still come, and comes again."""
        self._last, self._task = self._task, None
        if self._last is not None:
            self._last.cancel()

    async def stop(self) -> None:
        """Tell what is recorded by now, within LEDGER_FED_STOP_S, unless it waits for Kafka anyway."""
        self._goal = self._office.writer.head
        self._arrived.set()
        task = self._task
        if task is not None and self.fault is None:
            await asyncio.wait((task,), timeout=LEDGER_FED_STOP_S)
        self.stand_down()
        if self._last is not None:
            await asyncio.wait((self._last,))

    async def _run(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        self._fault = None
        try:
            await self._patiently(self._begin)
            while self._goal is None or self._told < self._goal:
                await self._patiently(self._next)
            await self._patiently(self._keep)
        except ConflictError as error:
            self._fault = str(error)
            log.say("feed.stands_by", error=error)
        finally:
            self._office.writer.unfollow(self._segment)
            self._oldest = None

    async def _begin(self) -> None:
        self._told = self._kept = await self._in_views(self._office.views.begin, self._name, ())
        self._kept_at = self._office.clock.monotonic_ms()
        self._office.writer.follow_all(self._segment)

    def _segment(self, segment: Segment) -> None:
        if segment.last >= self._waits_for:
            self._arrived.set()

    async def _next(self) -> None:
        """Tell a batch; or, where there is none, write down how far it has come, or wait."""
        now = self._office.clock.monotonic_ms
        if self._told > self._kept and now() - self._kept_at >= LEDGER_FED_KEEP_MS:
            await self._keep()
            return
        if self._office.writer.head <= self._told:
            await self._until(self._told + 1, LEDGER_FED_KEEP_MS if self._told > self._kept else None)
            return
        await self._until(self._told + LEDGER_FED_EVENTS_MAX, self._told_at + LEDGER_FED_MS - now())
        self._told_at = now()
        events, last = await self._read()
        if events:
            self._oldest = events[0].event.at
            await self._tell(events)
        self._told, self._oldest = last, None

    async def _until(self, position: int, wait_ms: int | None) -> None:
        """Wait until so much is recorded, at most so long."""
        self._waits_for = position
        self._arrived.clear()
        if self._office.writer.head >= position or self._goal is not None or (wait_ms is not None and wait_ms <= 0):
            return
        alarm = None if wait_ms is None else self._office.alarms.after(wait_ms, self._arrived.set)
        try:
            await self._arrived.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    async def _read(self) -> tuple[list[Recorded], int]:
        """What comes next, and up to where that is all."""
        events: list[Recorded] = []
        last = self._told
        for segment in self._office.writer.tail.after(last) or ():
            events += segment.events
            last = segment.last
            if len(events) >= LEDGER_FED_EVENTS_MAX:
                break
        if last > self._told:
            return events, last
        # Not beyond what the directory has heard of.
        limit = min(READ_EVENTS_MAX, self._office.writer.head - last)
        events = await self._in_reader(self._office.reader.after, last, limit)
        return events, events[-1].position if events else last + limit

    async def _tell(self, events: Sequence[Recorded]) -> None:
        there, asked = portal_events(events)
        if asked:
            there |= await self._in_reader(self._office.reader.first_of, asked)
        known = Known(self._number, there)
        messages: list[Message] = []
        size = 0
        for recorded in events:
            message = message_of(recorded, known, self._topic)
            if message is None:
                continue
            bytes_ = len(message.value or b"") + RECORD_BYTES
            if messages and size + bytes_ > LEDGER_FED_BYTES_MAX:
                await self._send(messages)
                messages, size = [], 0
            messages.append(message)
            size += bytes_
        if messages:
            await self._send(messages)

    def _number(self, stream: bytes) -> int:
        return self._office.directory.webhooks[stream].number

    async def _send(self, messages: Sequence[Message]) -> None:
        """Until the broker has all of it."""
        await self._patiently(partial(self._sent, [*messages]))
        self.records += len(messages)

    async def _sent(self, messages: list[Message]) -> None:
        """Take from *messages* what the broker has; OverloadedError when there is something left."""
        outcomes = await self._outgoing.send(messages)
        refused = next((outcome for outcome in outcomes if isinstance(outcome, Refused)), None)
        if refused is not None:
            messages[:] = again(messages, outcomes)
            raise OverloadedError(refused.reason)

    async def _keep(self) -> None:
        """Write down how far it has come. ConflictError when another process tells, too."""
        told = self._told
        if told > self._kept:
            await self._in_views(self._office.views.write, self._name, self._kept, told, lambda _: None)
            self._kept = told
        self._kept_at = self._office.clock.monotonic_ms()

    # Patience

    async def _in_views(self, ask: Callable[..., Answer], *words: object) -> Answer:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._office.viewing, ask, *words)
        except FAULTS as error:
            # A damaged file is made anew meanwhile.
            self._office.views.doubt(error)
            raise

    def _in_reader(self, ask: Callable[..., Answer], *words: object) -> Awaitable[Answer]:
        return asyncio.get_running_loop().run_in_executor(self._office.reading, ask, *words)

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """What *ask* answers, however often it has to be asked; only a ConflictError is for who called."""
        while True:
            try:
                answer = await ask()
            except ConflictError:
                raise
            except Exception as error:  # noqa: BLE001 -- whatever it was, nothing may be left out for it
                self._waits(error)
            else:
                if self._fault is not None:
                    log.say("feed.goes_on", topic=self._topic)
                self._fault = None
                return answer
            await pause(self._office.alarms, LEDGER_FED_AGAIN_MS)

    def _waits(self, error: Exception) -> None:
        if not is_foreseen(error):
            log.say("feed.bug", error)
        fault = in_one_line(error, "the ledger")
        if fault != self._fault:
            log.say("feed.waits", topic=self._topic, error=fault)
        self._fault = fault
