"""Feed a view what it has not seen: from the tail in memory, from disk when it is behind.

A view gathers for a moment before it writes, and writes what it gathered with its position in one transaction;
any split of the ledger into such batches gives equal rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Protocol

from core.alarms import Alarm, Alarms
from core.clock import Clock
from core.errors import ConflictError, LedgerError
from core.ledger.fault import FAULTS, PASSING, in_words
from core.ledger.read import Reader
from core.ledger.tail import Segment
from core.ledger.unit import Body, Recorded
from core.ledger.view_store import ViewStore, Writing
from core.ledger.writer import Writer
from core.limits import FOLD_EVENTS_MAX, FOLD_MS, GATHERED_EVENTS_MAX, READ_EVENTS_MAX
from core.log import Log

log = Log("follow")

RETRY_MS = 1_000
"""How long a view waits after its file did not take a batch."""


class View(Protocol):
    """Rows for one question. `take` and `written` run on the loop, `write` in the views' thread."""

    @property
    def name(self) -> str:
        """Its name, which carries the version of its fold."""
        ...

    @property
    def tables(self) -> Sequence[str]:
        """Statements that make its tables where they are missing."""
        ...

    def take(self, events: Sequence[Recorded], bodies: Mapping[int, Body]) -> None:
        """Gather these events; *bodies* are those still in memory."""
        ...

    def drain(self) -> Any:
        """Hand over what was gathered since the last drain."""
        ...

    def write(self, connection: Writing, batch: Any) -> None:
        """Write a batch, inside a transaction."""
        ...

    def written(self, batch: Any) -> None:
        """The batch is on disk."""
        ...


class Follower:
    """Keeps one view up with the ledger."""

    def __init__(
        self,
        view: View,
        views: ViewStore,
        writer: Writer,
        reader: Reader,
        executor: Executor,
        clock: Clock,
        alarms: Alarms,
        seen: int,
    ) -> None:
        """*seen*: up to where the view has seen, as `ViewStore.begin` says."""
        self.view = view
        self._views, self._writer, self._reader = views, writer, reader
        self._executor, self._clock, self._alarms = executor, clock, alarms
        self.taken = self.written = seen
        """Positions up to which the view has gathered, and written."""
        self._gathered = 0
        self._alarm: Alarm | None = None
        self._writing: asyncio.Task[None] | None = None
        self._behind: asyncio.Task[None] | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._pauses: dict[asyncio.Event, None] = {}
        self._is_stopping = False
        self.stands_by = False
        """The view is followed no further: by somebody else, or not before the next start."""
        self.fault: str | None = None
        """Why the view could not be read or written the last time; None when it could."""
        self._gathering_since = self._writing_since = 0
        """When the first event was gathered that is not on its way to disk, or not on it."""
        writer.follow_all(self._segment)

    @property
    def behind_since(self) -> int | None:
        """Since when there is something that the view's rows do not hold (milliseconds); None when they hold all."""
        if self.written >= self._writer.head:
            return None
        return self._writing_since or self._gathering_since or None

    async def start(self) -> None:
        """Read what was recorded while nobody followed; returns when the view has gathered all of it. LedgerError when
        the ledger cannot be read to its end."""
        if self._behind is None and self.taken < self._writer.head:
            self._fall_behind()
        if self._behind is not None:
            await self._behind

    def _fall_behind(self) -> None:
        self._behind = asyncio.create_task(self._catch_up())
        # Who waits for it is told; where nobody does, the fault says it.
        self._behind.add_done_callback(lambda task: task.cancelled() or task.exception())

    def _segment(self, segment: Segment) -> None:
        if self._behind is not None or self.stands_by:
            return
        if segment.previous != self.taken or self._gathered >= GATHERED_EVENTS_MAX:
            self._fall_behind()
            return
        self._take(segment.events, segment.bodies, segment.last)

    def _take(self, events: Sequence[Recorded], bodies: Mapping[int, Body], last: int) -> None:
        self.view.take(events, bodies)
        self.taken = last
        if not self._gathering_since:
            self._gathering_since = self._clock.now_ms()
        self._gathered += len(events)
        if self._gathered >= FOLD_EVENTS_MAX or self._waiters:
            self._write_soon()
        elif self._alarm is None:
            self._alarm = self._alarms.after(FOLD_MS, self._write_soon)

    def _write_soon(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._writing is None and self.taken > self.written and not self.stands_by:
            self._writing = asyncio.create_task(self._write())

    async def _catch_up(self) -> None:
        self._gathering_since = self._gathering_since or self._clock.now_ms()
        try:
            while self.taken < self._writer.head and not self.stands_by:
                if self._gathered >= FOLD_EVENTS_MAX:
                    await self.flush()
                    continue
                segments = self._writer.tail.after(self.taken)
                if segments:
                    for segment in segments:
                        self._take(segment.events, segment.bodies, segment.last)
                    continue
                events = await self._read()
                if not events:
                    break
                self._take(events, {}, events[-1].position)
        finally:
            self._behind = None

    async def _read(self) -> Sequence[Recorded]:
        loop = asyncio.get_running_loop()
        while not self._is_stopping:
            try:
                return await loop.run_in_executor(self._executor, self._reader.after, self.taken, READ_EVENTS_MAX)
            except PASSING as error:
                await self._failed(in_words(error, self._reader.recorder.path))
            except (*FAULTS, LedgerError) as error:
                # Waiting does not help, and to go on behind it would leave it out.
                fault = str(error) if isinstance(error, LedgerError) else in_words(error, self._reader.recorder.path)
                self.fault = fault
                log.say("view.ends", view=self.view.name, error=fault)
                self._writer.health.doubt()
                self._stand_by()
                raise LedgerError(fault) from error
        return ()

    def _stand_by(self) -> None:
        self.stands_by = True
        for _, future in self._waiters:
            if not future.done():
                future.set_result(None)
        self._waiters.clear()

    async def flush(self) -> None:
        """Write all that was gathered up to now."""
        goal = self.taken
        while self.written < goal and not self.stands_by:
            self._write_soon()
            if self._writing is not None:
                await asyncio.shield(self._writing)

    async def reach(self, position: int) -> None:
        """Wait until the view's rows hold everything up to *position*, or it is followed no further."""
        if self.written >= position or self.stands_by:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((position, future))
        self._write_soon()
        await future

    async def _write(self) -> None:
        previous, last = self.written, self.taken
        batch = self.view.drain()
        self._gathered = 0
        self._writing_since, self._gathering_since = self._gathering_since, 0
        try:
            is_written = await self._persist(batch, previous, last)
        finally:
            self._writing = None
        if not is_written:
            self._stand_by()
            return
        self.written, self._writing_since = last, 0
        self.view.written(batch)
        for position, future in self._waiters:
            if position <= last and not future.done():
                future.set_result(None)
        self._waiters = [waiter for waiter in self._waiters if not waiter[1].done()]
        # Also what was gathered meanwhile, if its alarm has rung: nobody else would write it.
        has_rung = self.taken > self.written and self._alarm is None
        if self._waiters or self._gathered >= FOLD_EVENTS_MAX or has_rung:
            self._write_soon()

    async def _persist(self, batch: Any, previous: int, last: int) -> bool:
        """Write a batch, again and again if the disk does not take it. False: it cannot be written by us, ever."""
        loop = asyncio.get_running_loop()

        def fill(connection: Writing) -> None:
            self.view.write(connection, batch)

        while True:
            try:
                await loop.run_in_executor(self._executor, self._views.write, self.view.name, previous, last, fill)
            except ConflictError as error:
                self.fault = str(error)
                log.say("view.stands_by", view=self.view.name, error=error)
                return False
            except Exception as error:  # noqa: BLE001 -- a bug in a view must not lose its batch in silence
                fault = self._passing(error)
                if fault is None:
                    # Whatever it is, to write on would leave out this batch.
                    self.fault = f"{type(error).__name__}: {error}"
                    log.say("view.bug", error, view=self.view.name)
                    return False
                if self._is_stopping:
                    return False
                await self._failed(fault)
            else:
                if self.fault is not None:
                    log.say("view.written_again", view=self.view.name)
                self.fault = None
                return True

    def _passing(self, error: Exception) -> str | None:
        """What is wrong, in words, if it may pass: the disk may take the batch later, a damaged file is made anew."""
        if isinstance(error, FAULTS) and self._views.doubt(error):
            return self._views.damage
        return in_words(error, self._views.path) if isinstance(error, PASSING) else None

    async def _failed(self, fault: str) -> None:
        """The disk does not answer as it should: wait a moment."""
        if fault != self.fault:
            log.say("view.waits", view=self.view.name, error=fault)
        self.fault = fault
        pause = asyncio.Event()
        self._pauses[pause] = None
        self._alarms.after(RETRY_MS, pause.set)
        await pause.wait()
        del self._pauses[pause]

    def drop(self) -> None:
        """Follow no further and write nothing more: another process does."""
        self._is_stopping = True
        for pause in self._pauses:
            pause.set()
        if self._alarm is not None:
            self._alarm.cancel()
        self._stand_by()
        self._writer.unfollow(self._segment)

    async def stop(self) -> None:
        """Write what is left, unless the disk does not take it; the next start makes up for that."""
        self._is_stopping = True
        for pause in self._pauses:
            pause.set()
        if self._behind is not None:
            with suppress(LedgerError):  # it was said when it was met
                await self._behind
        await self.flush()
        # What is recorded from now on is the next start's.
        self.stands_by = True
        if self._writing is not None:
            await self._writing
