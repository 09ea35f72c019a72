"""Sees to it that one process leads, of all that share a database: claims, renews, and stands down when it is over.

The lease is the database's, and so long as it runs nobody else begins a term. Here it is counted from before each
renewal was asked for: a process that is cut off knows that it leads no more before others do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from core.clock import Clock
from core.errors import HookledgerError
from core.ledger.fault import FAULTS, in_words
from core.limits import LEASE_S
from core.log import Log

if TYPE_CHECKING:  # what it imports is an extra
    from core.ledger.postgres.leader import Leader, Mark

log = Log("leader")

RENEW_S = 0.75
"""How often a lease is renewed."""
LOOK_S = 0.5
"""How often it is looked whether the lease of another process is over."""
RELEASE_S = 2.0
"""How long a process that stops tries to say that it leads no more; others know it LEASE_S later anyway."""

SILENT = "the database does not answer"

Answer = TypeVar("Answer")


class Leading:
    """One process's part, from `start` to `stop`."""

    def __init__(
        self,
        leader: Leader,
        clock: Clock,
        take_over: Callable[[LedTerm], Awaitable[None]],
        stand_down: Callable[[], None],
    ) -> None:
        """*take_over*: does what a leader does; cancelled, or followed by *stand_down*, when the term is over."""
        self._leader, self.clock = leader, clock
        self._take_over, self._stand_down = take_over, stand_down
        self._executor = ThreadPoolExecutor(1, "leader")
        self._task: asyncio.Task[None] | None = None
        self._retired = asyncio.Event()
        self.term: LedTerm | None = None
        """The one in which this process leads."""
        self.fault: str | None = None
        """Why it is not known who leads; None: it is."""
        self.takeovers = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def retire(self) -> None:
        """Lead no more, so that another process may at once; its marks stay."""
        self._retired.set()
        if self.term is not None:
            self.term.over.set()

    async def ask(self, question: Callable[..., Answer], *said: Any) -> Answer:
        """What the database says; PersistenceError when it does not."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, question, *said)

    async def marks(self) -> list[Mark]:
        """What earlier terms may still have under way."""
        return await self.ask(self._leader.marks)

    async def forget(self, term: int) -> None:
        """Nothing of what this process handed out in a term is under way any more."""
        await self.ask(self._leader.forget, term)

    async def _run(self) -> None:
        while not self._retired.is_set():
            began = self.clock.monotonic_ms()
            try:
                number = await self._patiently(self._leader.claim)
            except FAULTS as error:
                self._failed(in_words(error, "the database"))
                number = None
            else:
                self.fault = None
            if number is not None:
                await self._lead(number, began)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._retired.wait(), LOOK_S)

    async def _lead(self, number: int, began: int) -> None:
        self.takeovers += 1
        self.term = term = LedTerm(self, self._leader, number)
        if self._retired.is_set():
            term.over.set()
        term.until = began + round(LEASE_S * 1_000)
        log.say("leader.leads", term=number)
        taking = asyncio.create_task(self._begin(term))
        try:
            await self._hold(term, began)
        finally:
            taking.cancel()
            self.term = None
            self._stand_down()
        log.say("leader.leads_no_more", term=number)
        with suppress(*FAULTS):
            # Others need not wait for the end of its lease.
            await self._patiently(self._leader.release, number)

    async def _patiently(self, question: Callable[..., Answer], *said: Any) -> Answer:
        """As `ask`; for as long as it takes, but one that takes long is a fault."""
        asking = asyncio.ensure_future(self.ask(question, *said))
        try:
            await asyncio.wait((asking,), timeout=LEASE_S)
            if not asking.done():
                self._failed(SILENT)
            return await asking
        finally:
            asking.cancel()

    async def _begin(self, term: LedTerm) -> None:
        try:
            await self._take_over(term)
        except (HookledgerError, *FAULTS) as error:
            self._failed(str(error))
            term.over.set()
        except Exception as error:  # noqa: BLE001 -- whatever it was, somebody is to lead
            log.say("leader.bug", error)
            term.over.set()

    async def _hold(self, term: LedTerm, began: int) -> None:
        """Renew the lease until the term is over."""
        until = term.until = began + round(LEASE_S * 1_000)
        while not term.over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(term.over.wait(), RENEW_S)
                return
            began = self.clock.monotonic_ms()
            try:
                async with asyncio.timeout(max(until - began, 0) / 1_000):
                    is_ours = await self.ask(self._leader.renew, term.number)
            except TimeoutError:
                self._failed(SILENT)
                return
            except FAULTS as error:
                self._failed(in_words(error, "the database"))
            else:
                self.fault = None
                if not is_ours:
                    return
                until = term.until = began + round(LEASE_S * 1_000)

    def _failed(self, fault: str) -> None:
        if fault != self.fault:
            log.say("leader.unknown", error=fault)
        self.fault = fault

    async def stop(self) -> None:
        """Lead no more, and ask the database nothing more."""
        self.retire()
        task, self._task = self._task, None
        if task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(RELEASE_S):
                    await task
        self._executor.shutdown(wait=False, cancel_futures=True)


class LedTerm:
    """A term in which this process leads."""

    def __init__(self, leading: Leading, leader: Leader, number: int) -> None:
        self._leading, self._leader, self.number = leading, leader, number
        self.over = asyncio.Event()
        self.until = 0
        """Until when it runs at least, by this process's steady clock, in milliseconds."""

    @property
    def is_sure(self) -> bool:
        return not self.over.is_set() and self._leading.clock.monotonic_ms() < self.until

    async def mark(self, attempts: Sequence[tuple[int, int]], over: Iterable[int], for_s: float) -> int | None:
        """As `Leader.mark`; when the term is over, it is so for the whole process."""
        number = await self._leading.ask(self._leader.mark, self.number, attempts, over, for_s)
        if number is None:
            self.over.set()
        return number
