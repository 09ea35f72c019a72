"""Marks what is handed out, in the database and under the leader's term: before a worker of this process sees it, or
after it was written for those of others.

What is handed out while a mark is being committed goes into the next one. A leader whose term is over commits no mark,
and so hands nothing out; whoever leads then leaves alone what it finds marked.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from core.alarms import Alarms, pause
from core.ledger.fault import FAULTS, in_words
from core.limits import MARK_S
from core.log import Log
from delivery.broker import InProcessBroker
from delivery.rows import Mark, Row

log = Log("outbox")

AGAIN_MS = 250
"""How long until a mark that the database did not take is offered again."""


class Term(Protocol):
    """A term in which this process leads."""

    @property
    def number(self) -> int: ...

    @property
    def is_sure(self) -> bool:
        """Whether it must run still: nobody else can lead yet, however long this process slept."""
        ...

    async def mark(self, attempts: Sequence[tuple[int, int]], over: Iterable[int], for_s: float) -> int | None:
        """These (delivery, attempt) are handed out for so many seconds, and marks *over* are not needed any more. The
        mark's number; None: the term is over."""
        ...


class Marking(ABC):
    """Gathers what is handed out; whoever carries it says what comes before it is marked, and after."""

    for_s = MARK_S
    """How long nobody else begins what is marked."""

    def __init__(self, term: Term, alarms: Alarms) -> None:
        self._term, self._alarms = term, alarms
        self._waiting: list[Row] = []
        self._task: asyncio.Task[None] | None = None
        self._over: list[int] = []
        self._is_closed = False
        self.on_returned: Callable[[Row], None] = lambda _row: None
        """Called with a row that is not handed out after all."""

    def put(self, row: Row) -> None:
        self._waiting.append(row)
        if self._task is None:
            # Takes its first step when all is here that is handed out now.
            self._task = asyncio.create_task(self._run())

    async def _sent(self, rows: Sequence[Row]) -> bool:
        """Done before they are marked. False: it was closed before that was."""
        return True

    @abstractmethod
    def _marked(self, rows: Sequence[Row], mark: Mark) -> None:
        """Done once they are marked. Of some the ledger may have the outcome by now, and nobody marks them any more."""

    async def _run(self) -> None:
        try:
            while self._waiting and not self._is_closed:
                rows, self._waiting = self._waiting, []
                attempts = [(row.number, row.attempt) for row in rows]
                number = await self._mark(attempts) if await self._sent(rows) else None
                if number is None:
                    self._waiting += rows
                    break
                self._marked(rows, Mark(number, len(rows), self._end))
        finally:
            self._task = None
        if self._is_closed:
            self._give_back()

    def _end(self, number: int) -> None:
        self._over.append(number)

    async def _mark(self, attempts: Sequence[tuple[int, int]]) -> int | None:
        """The number of their mark; None: they may not be handed out."""
        over, self._over = self._over, []
        fault: str | None = None
        while not self._is_closed:
            try:
                number = await self._term.mark(attempts, over, self.for_s)
            except FAULTS as error:
                if fault is None:
                    fault = in_words(error, "the database")
                    log.say("mark.waits", error=fault)
                await pause(self._alarms, AGAIN_MS)
            else:
                if number is None:
                    # Whoever leads now says so to others; here it only ends.
                    self._is_closed = True
                return number
        return None

    def close(self) -> None:
        """Hand nothing more out."""
        self._is_closed = True
        if self._task is None:
            self._give_back()

    def _give_back(self) -> None:
        rows, self._waiting = self._waiting, []
        for row in rows:
            self.on_returned(row)


class MarkingBroker(Marking):
    """A broker before another one in the same process, which gets only what is marked."""

    def __init__(self, broker: InProcessBroker, term: Term, alarms: Alarms) -> None:
        super().__init__(term, alarms)
        self._broker = broker

    def _marked(self, rows: Sequence[Row], mark: Mark) -> None:
        for row in rows:
            if row.is_marked:
                row.mark = mark
                self._broker.put(row)
            else:
                # Meanwhile another process has recorded what came of it.
                mark.leave()
                self.on_returned(row)
