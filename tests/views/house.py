"""A ledger with its writer and its views, on a clock that only the test turns."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor

from core.ledger.follow import Follower
from core.ledger.read import Reader
from core.ledger.unit import Unit
from core.ledger.writer import Writer
from core.limits import READ_EVENTS_MAX
from core.mending import Mending
from core.model.topics import Codec
from tests.builders import Books, neutral
from tests.invented import InventedClock
from tests.views.seen import Seen


class House:
    """What a follower stands on."""

    def __init__(self, data, store):
        self.books, self.store = Books(data), store
        self.clock = InventedClock()
        self.threads = [ThreadPoolExecutor(1), ThreadPoolExecutor(1), ThreadPoolExecutor(1)]
        self.file = data / "views.sqlite"
        self.views = self.open_views()
        self.writer = self.new_writer()
        self._next = 1

    def open_views(self):
        return self.store.open(self.books.recorder, self.books.appender.last)

    def reopen_views(self):
        """As the next process does."""
        self.views.close()
        self.views = self.open_views()

    def new_writer(self):
        """As a new process has it: with nothing in its tail."""
        return Writer(self.books.appender, self.clock, self.clock, self.threads[0], self.threads[1])

    def follower(self, view=None, **given):
        view = view or Seen()
        return Follower(
            view,
            self.views,
            self.writer,
            given.get("reader", self.books.reader),
            self.threads[2],
            self.clock,
            self.clock,
            self.views.begin(view.name, view.tables),
        )

    def mend(self):
        """From here on the file is made anew when it turns out to be damaged."""
        mending = Mending(self.views, self.books.reader, self.writer, self.threads[2], self.clock)
        mending.anew[Seen.name] = Seen
        mending.start()

    def units(self, count):
        first, self._next = self._next, self._next + count
        return [Unit([neutral(number)]) for number in range(first, first + count)]

    async def record(self, count=1):
        """So many events more, in one commit, handed to all followers."""
        await self.writer.append(self.units(count))

    def record_before(self, count=1):
        """Events of a process that is gone: in the ledger, and in no tail."""
        self.books.append(*self.units(count))
        self.writer = self.new_writer()

    def seen(self):
        """Positions that the view has rows of."""
        return [position for (position,) in self.views.rows("SELECT position FROM seen_1 ORDER BY position")]

    async def until(self, is_so):
        """Turn the clock from alarm to alarm, and let all threads do what they were given, until something is so."""
        loop = asyncio.get_running_loop()
        while not is_so():
            if (alarm := self.clock.next_alarm()) is not None:
                self.clock.turn_to(alarm)
            for thread in self.threads:
                await loop.run_in_executor(thread, int)

    def close(self):
        for thread in self.threads:
            thread.shutdown()
        self.views.close()
        self.books.close()


class Hesitant(Reader):
    """The ledger's reader, on a disk that fails so many times first."""

    def __init__(self, books, faults):
        super().__init__(books.recorder, Codec())
        self.faults = faults

    def after(self, position, limit=READ_EVENTS_MAX):
        if self.faults:
            self.faults -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return super().after(position, limit)
