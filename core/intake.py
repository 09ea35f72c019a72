"""One batch of portal events in, one unit each out: read, matched, recorded together with the deliveries they cause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from functools import partial

import msgspec

from core.clock import Clock
from core.composer import Composed, Composer, Random, Todo, claim_of
from core.directory import Directory
from core.errors import HookledgerError, OverloadedError
from core.incoming import Checked, Rejected, Source
from core.ledger.fault import FAULTS
from core.ledger.read import Reader
from core.ledger.unit import Answer, Claim, Duplicate, Unit, Unwritable
from core.ledger.writer import Writer
from core.limits import COMMIT_EVENTS_MAX, INTAKE_EVENTS_MAX, MATCH_ROUNDS_MAX, REFUSALS_MAX
from core.log import Log
from core.model.portal_event import Received
from core.plugins import Plugins
from core.tally import Tally

log = Log("intake")


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """Recorded at this position; `note` says why there are no deliveries where that may surprise."""

    id: str
    position: int
    trigger: str | None
    deliveries: int
    is_duplicate: bool = False
    note: str | None = None


Result = Accepted | Rejected


class Intake:
    """The single matcher of this process: matches in writing order, on a directory that holds what it has submitted."""

    def __init__(
        self,
        directory: Directory,
        plugins: Plugins,
        writer: Writer,
        reader: Reader,
        executor: Executor,
        clock: Clock,
        random: Random,
        tally: Tally,
    ) -> None:
        self._directory = directory
        self._plugins = plugins
        self._writer = writer
        self._reader = reader
        self._executor = executor
        self._clock = clock
        self._random = random
        self._tally = tally
        self.under_way = 0
        self._held = 0
        self._released: asyncio.Event = asyncio.Event()
        self._released.set()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Match nothing meanwhile: for commands that change who listens, so that theirs is never a guess."""
        self._held += 1
        self._released.clear()
        try:
            yield
        finally:
            self._held -= 1
            if not self._held:
                self._released.set()

    async def accept(self, tenant: str, events: Sequence[Checked | Rejected], source: Source) -> list[Result]:
        """Record *events*, in order, each exactly once; answers stand in the same order, after the commit.

        All are of *tenant*, and came from *source* where they do not say their own. OverloadedError when too many wait
        already, or the ledger cannot write.
        """
        if self.under_way + len(events) > INTAKE_EVENTS_MAX:
            raise OverloadedError("too many events wait for their commit", limit="INTAKE_EVENTS_MAX")
        self.under_way += len(events)
        try:
            results = await self._accept(tenant, events, source)
        finally:
            self.under_way -= len(events)
        self._count(tenant, str(source[0]), results)
        return results

    def _count(self, tenant: str, way: str, results: Sequence[Result]) -> None:
        """What leaves nothing in the ledger."""
        for result in results:
            if type(result) is Rejected:
                self._tally.rejected[way, result.limit or result.kind] += 1
                log.say("event.rejected", tenant=tenant, way=way, portal_event_id=result.id, error=result.error)
            elif result.is_duplicate:  # type: ignore[union-attr]
                self._tally.duplicates[way] += 1

    def _count_refused(self, tenant: str, n_events: int) -> None:
        if n_events:
            self._tally.matched_again += n_events
            log.say("event.refused", tenant=tenant, events=n_events)

    async def _accept(self, tenant: str, events: Sequence[Checked | Rejected], source: Source) -> list[Result]:
        results: list[Result | None] = [event if isinstance(event, Rejected) else None for event in events]
        todo = [(index, event) for index, event in enumerate(events) if isinstance(event, Checked)]
        duplicates: list[tuple[int, int]] = []
        refusals = 0
        while todo:
            if refusals >= MATCH_ROUNDS_MAX:
                raise OverloadedError(
                    "the directory changes faster than events can be matched", limit="MATCH_ROUNDS_MAX"
                )
            while self._held:
                await self._released.wait()
            if self._plugins.is_troubled:
                self._plugins.check({event.type for _, event in todo})
            some, rest = self._at_once(tenant, todo)
            if refusals < REFUSALS_MAX or not self._writer.is_shared:
                matched, again = self._match(tenant, some, source, results)
                answers = await self._append(matched) if matched else []
            else:
                matched, again, answers = await self._match_alone(tenant, some, source, results, duplicates)
            n_unasked = len(again)
            for unit, answer in zip(matched, answers, strict=True):
                if type(answer) is int:
                    results[unit.index] = _accepted(unit.received, answer)
                elif isinstance(answer, Duplicate):
                    duplicates.append((unit.index, answer.position))
                elif isinstance(answer, Unwritable):
                    event = events[unit.index]
                    path = event.path if isinstance(event, Checked) else "$"
                    results[unit.index] = Rejected(event.id, f"{path}: cannot be stored: {answer.reason}")
                else:
                    again.add(unit.index)
            refusals += bool(again)
            self._count_refused(tenant, len(again) - n_unasked)
            # What a plugin was not asked about meets `check` next, and with it the 503.
            todo = [(index, event) for index, event in some if index in again] + rest
        if duplicates:
            await self._recall(duplicates, results)
        return [result for result in results if result is not None]

    def _at_once(self, tenant: str, todo: Todo) -> tuple[Todo, Todo]:
        """As many of *todo* as may come to one commit's worth of recorded events, and the others."""
        count = max(COMMIT_EVENTS_MAX // (2 + self._directory.tenant(tenant).widest()), 1)
        return (todo, []) if count >= len(todo) else (todo[:count], todo[count:])

    async def _append(self, matched: list[Composed]) -> list[Answer]:
        answered: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._writer.submit([unit.unit for unit in matched], partial(self._settle, matched, answered))
        return await answered

    async def _match_alone(
        self,
        tenant: str,
        todo: Todo,
        source: Source,
        results: list[Result | None],
        duplicates: list[tuple[int, int]],
    ) -> tuple[list[Composed], set[int], list[Answer]]:
        """Match and append *todo* while no other process can append, but for what is known already. The second are the
        places of events that are not among the first: no room, the same event in the same commit, or a plugin that
        hangs."""
        answered: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        matched: list[Composed] = []
        again = {index for index, _ in todo}
        claims = [claim_of(tenant, event) for _, event in todo]

        def make(taken: Mapping[Claim, int | None]) -> list[Unit]:
            if answered.done():
                return []
            fresh: dict[Claim, tuple[int, Checked]] = {}
            for claim, (index, event) in zip(claims, todo, strict=True):
                position = taken.get(claim)
                if position is not None:
                    duplicates.append((index, position))
                    again.remove(index)
                elif claim not in taken:
                    fresh.setdefault(claim, (index, event))
            try:
                found, unasked = self._match(tenant, list(fresh.values()), source, results)
            except Exception as error:  # noqa: BLE001 -- our bug, and must not fail others' commit
                answered.set_exception(error)
                return []
            matched.extend(found)
            again.difference_update({index for index, _ in fresh.values()} - unasked)
            return [unit.unit for unit in found]

        self._writer.submit_alone(claims, make, partial(self._settle, matched, answered))
        return matched, again, await answered

    def _settle(
        self,
        matched: list[Composed],
        answered: asyncio.Future[list[Answer]],
        answers: list[Answer] | HookledgerError,
    ) -> None:
        # At once, not in the waiting task: what the ledger hands out next must find the directory settled.
        if isinstance(answers, HookledgerError):
            for unit in matched:
                if unit.early is not None:
                    self._directory.undo(unit.early)
            if not answered.done():
                answered.set_exception(answers)
            return
        for unit, answer in zip(matched, answers, strict=True):
            if unit.early is not None:
                if type(answer) is int:
                    self._directory.keep(unit.early)
                else:
                    self._directory.undo(unit.early)
        if not answered.done():
            answered.set_result(answers)

    async def _recall(self, duplicates: list[tuple[int, int]], results: list[Result | None]) -> None:
        """Answer duplicates with what was said of them the first time."""
        loop = asyncio.get_running_loop()
        positions = [position for _, position in duplicates]
        try:
            found = await loop.run_in_executor(self._executor, self._reader.at, positions)
        except FAULTS as error:
            raise OverloadedError(f"the ledger cannot be read: {error}; try again") from error
        for index, position in duplicates:
            received = found[position].event
            assert isinstance(received, Received)
            results[index] = msgspec.structs.replace(_accepted(received, position), is_duplicate=True)

    def _match(
        self, tenant: str, todo: Todo, source: Source, results: list[Result | None]
    ) -> tuple[list[Composed], set[int]]:
        """Units for *todo*, in order. The second are the places of events that a plugin which hangs was not asked
        about."""
        composer = Composer(self._directory, self._plugins, self._random, tenant, source, self._clock.now_ms())
        matched, rejected, unasked = composer.units(todo)
        for index, rejection in rejected.items():
            results[index] = rejection
        return matched, unasked


def _accepted(received: Received, position: int) -> Accepted:
    note = None
    if received.trigger is None:
        note = f"no plugin knows the type {received.type!r}"
    elif received.fault is not None:
        note = f"the plugin {received.plugin!r} could not read it: {received.fault}"
    return Accepted(received.id, position, received.trigger, received.deliveries, note=note)
