"""Group commit: what many callers append while a commit is under way goes into the next one, with no timer.

An idle ledger answers after one fsync; a busy one shares each fsync among all who wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any

from core.alarms import Alarms
from core.clock import Clock
from core.errors import HookledgerError, InvalidInputError, LedgerError, OverloadedError
from core.histogram import LATENCY_BOUNDS, SIZE_BOUNDS, Histogram
from core.ledger.alone import Alone
from core.ledger.health import Health
from core.ledger.queue import Make, OnAnswers, Queue, Submitted, Wish
from core.ledger.store import Appender
from core.ledger.tail import Segment, Tail, segment_of
from core.ledger.unit import Answer, Appended, Claim, Recorded, Unit, Unwritable
from core.limits import COMMIT_EVENTS_MAX, COMMIT_UNITS_MAX, DAMAGED_AGAIN_S, WRITE_AGAIN_S
from core.log import Log

log = Log("ledger")

Follow = Callable[[Segment], None]


class Writer:
    """The one way into the ledger of this process. Lives on the event loop; commits in the executor given.

    *executor* must have one thread: commits are made one after the other. The claims' index is written in *background*.
    """

    def __init__(
        self,
        appender: Appender,
        clock: Clock,
        alarms: Alarms,
        executor: Executor,
        background: Executor,
        *,
        commit_units_max: int = COMMIT_UNITS_MAX,
    ) -> None:
        self._appender = appender
        self._clock = clock
        self._executor, self._background = executor, background
        self._waiting = Queue(commit_units_max)
        self._committing: list[Submitted] = []
        self._idle: asyncio.Future[None] | None = None
        self._followers: list[Follow] = []
        self._followers_of_all: list[Follow] = []
        self.tail = Tail()
        self.head = appender.last
        self.health = Health(appender, alarms, executor)
        self.on_missed: Callable[[Sequence[Recorded]], None] = lambda _missed: None
        """Called with what other processes recorded meanwhile that moves a directory, in order, before the answers of
        a commit are given out."""
        self.on_alone: Callable[[], None] = lambda: None
        """Called before units are made alone: they come ahead of all that was submitted and has no answer yet."""
        self._is_closed = self._is_looking = self._must_look = False
        self.commit_ms, self.commit_events = Histogram(LATENCY_BOUNDS), Histogram(SIZE_BOUNDS)
        self.commits_failed = self.commits_alone = 0
        self._begun_at = self._looks_since = 0.0

    @property
    def units_waiting(self) -> int:
        """Units that have no answer yet."""
        return sum(len(units) for units, _ in self._committing) + self._waiting.n_units

    @property
    def waits_s(self) -> float:
        """How long the ledger has not answered what it was asked last; 0 when it has."""
        now = asyncio.get_running_loop().time()
        since = [self._begun_at] if self._committing else []
        since += [self._looks_since] if self._is_looking else []
        return now - min(since, default=now)

    def follow(self, follower: Follow) -> None:
        """Hand every new segment to *follower*, in order, on the loop, after its callers were answered."""
        self._followers.append(follower)

    def follow_all(self, follower: Follow) -> None:
        """As `follow`; also what other processes have recorded, where that was read as a whole."""
        self._followers_of_all.append(follower)

    def unfollow(self, follower: Follow) -> None:
        """Hand it nothing more."""
        self._followers_of_all = [one for one in self._followers_of_all if one != follower]

    def submit(self, units: Sequence[Unit], on_answers: OnAnswers) -> None:
        """Append *units*, in this order; *on_answers* is called on the loop with an answer for each."""
        self._waiting.add(units, on_answers)
        if not self._committing:
            self._commit()

    @property
    def is_shared(self) -> bool:
        """Whether other processes append to this ledger, too; only then something can be submitted alone."""
        return self._appender.append_alone is not None

    def submit_alone(self, claims: Sequence[Claim], make: Make, on_answers: OnAnswers) -> None:
        """Append what *make* makes while this process holds the ledger's lock, and has taken in all that others have
        recorded: ahead of what waits here. *make* is called on the loop; if not at all, no answers are given."""
        self._waiting.add_wish(Wish(claims, make, on_answers))
        if not self._committing:
            self._commit()

    async def append(self, units: Sequence[Unit]) -> list[Answer]:
        """Append *units* and wait for the commit.

        OverloadedError when the ledger cannot write; InvalidInputError when one of them, though not the others, cannot
        be stored.
        """
        future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()

        def answered(answers: list[Answer] | HookledgerError) -> None:
            if future.cancelled():
                return
            if isinstance(answers, HookledgerError):
                future.set_exception(answers)
            else:
                future.set_result(answers)

        self.submit(units, answered)
        answers = await future
        for answer in answers:
            if type(answer) is Unwritable:
                raise InvalidInputError(f"it cannot be stored: {answer.reason}")
        return answers

    async def holder(self, claim: Claim) -> int | None:
        """The position of the first event of the unit that holds this claim; None: nobody does yet."""
        (position,) = await self.holders([claim])
        return position

    async def holders(self, claims: Sequence[Claim]) -> list[int | None]:
        """As `holder`, of several. What was appended before counts, though it may still wait for its commit."""
        if self._waiting:
            with suppress(OverloadedError):
                await self.append([Unit([])])
        index = self._appender.claims
        keys = [index.key(claim) for claim in claims]
        found = await asyncio.get_running_loop().run_in_executor(self._executor, index.find, keys)
        return [found.get(key) for key in keys]

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._committing or self._waiting:
            if self._idle is None:
                self._idle = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._idle)

    def _commit(self) -> None:
        # What a look has found is taken in before what is found under the lock.
        wishes = [] if self._is_looking else self._waiting.next_wishes()
        if wishes:
            self._commit_alone(wishes)
            return
        self._committing = self._waiting.next_units()
        if self._committing:
            self._run(self._appender.append, [unit for units, _ in self._committing for unit in units])

    def _commit_alone(self, wishes: Sequence[Wish]) -> None:
        assert self._appender.append_alone is not None
        alone = Alone(wishes, self._begin_alone, self._appender.claims, COMMIT_EVENTS_MAX)
        self._committing = alone.committing
        self._run(self._appender.append_alone, alone.made)

    def _begin_alone(self, missed: Sequence[Recorded]) -> None:
        self.commits_alone += 1
        log.say("ledger.locked_first", calls=len(self._committing), missed=len(missed))
        self.on_missed(missed)
        self.on_alone()

    def _run(self, append: Callable[[Any, int], Appended], what: Any) -> None:
        loop = asyncio.get_running_loop()
        self._begun_at = loop.time()
        future: asyncio.Future[Appended]
        try:
            # Here and not in the thread: whoever looks at a file waits for the interpreter's lock after it, and there
            # that is until this loop next rests.
            self._appender.recorder.check()
        except LedgerError as error:
            future = loop.create_future()
            future.set_exception(error)
        else:
            future = loop.run_in_executor(self._executor, append, what, self._clock.now_ms())
        future.add_done_callback(self._committed)

    def look(self) -> None:
        """Somebody says that another process has recorded something."""
        if self._is_looking or self._committing:
            self._must_look = True
        elif not self._is_closed:
            self._is_looking, self._must_look = True, False
            loop = asyncio.get_running_loop()
            self._looks_since = loop.time()
            looking = loop.run_in_executor(self._executor, self._appender.look)
            looking.add_done_callback(self._looked)

    def _looked(self, future: asyncio.Future[Appended]) -> None:
        self._is_looking = False
        error = future.exception()
        if error is not None:
            self.health.at_fault(error)
        else:
            self._answer([], future.result())
        if not self._committing:
            self._commit()
        if error is None and self._must_look:
            self.look()

    def _committed(self, future: asyncio.Future[Appended]) -> None:
        done, self._committing = self._committing, []
        took_s = asyncio.get_running_loop().time() - self._begun_at
        self._commit()
        error = future.exception()
        if error is not None:
            self.commits_failed += 1
            self._failed(done, error)
        else:
            appended = future.result()
            self.commit_ms.add(took_s * 1000)
            self.commit_events.add(appended.last - appended.previous)
            self._answer(done, appended)
        if self._must_look:
            self.look()
        if self._appender.claims.is_full:
            asyncio.get_running_loop().run_in_executor(self._background, self._appender.claims.flush)
        if self._idle is not None and not self._committing and not self._waiting:
            self._idle.set_result(None)
            self._idle = None

    def _failed(self, done: list[Submitted], error: BaseException) -> None:
        self.health.at_fault(error)
        wait_s = DAMAGED_AGAIN_S if self._appender.recorder.damage is not None else WRITE_AGAIN_S
        # What a database says tells outsiders of the inside: that is for the log, and for readiness.
        why = "its database does not take it just now" if self.is_shared else self.health.fault
        refusal = OverloadedError(f"the ledger cannot write: {why}; nothing was kept", retry_after_s=wait_s)
        for _, on_answers in done:
            try:
                on_answers(refusal)
            except Exception as bug:  # noqa: BLE001 -- of who asked: the others are to be answered
                log.say("ledger.not_told", bug)

    def close(self) -> None:
        """Nothing is tried any more."""
        self._is_closed = True
        self.health.close()

    def _answer(self, done: list[Submitted], appended: Appended) -> None:
        self.health.well()
        is_news, before = not done or appended.last > self.head, self.head
        self.head = appended.last
        if appended.missed:
            # Before the answers: who was refused goes on with a directory that holds what came first.
            self.on_missed(appended.missed)
        segment = segment_of((unit for units, _ in done for unit in units), appended)
        index = 0
        for units, on_answers in done:
            try:
                on_answers(appended.answers[index : index + len(units)])
            except Exception as bug:  # noqa: BLE001 -- of who asked: the others are to be answered
                log.say("ledger.not_told", bug)
            index += len(units)
        if appended.bodies is not None:
            others = Segment(before, appended.previous, list(appended.missed), appended.bodies)
            self.tail.add(others)
            for follow in self._followers_of_all:
                follow(others)
        if segment.events:
            self.tail.add(segment)
        if is_news:
            # Without events, too: others have recorded something.
            for follow in (*self._followers, *self._followers_of_all):
                follow(segment)
