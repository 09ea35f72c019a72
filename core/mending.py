"""Makes the views anew while they are followed, when their file turns out to be damaged; all else goes on meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path

from core.alarms import Alarms, pause
from core.errors import LedgerError
from core.ledger.fault import in_words
from core.ledger.follow import View
from core.ledger.read import Reader
from core.ledger.views import Views
from core.ledger.writer import Writer
from core.log import Log
from core.rebuild import make

log = Log("views")

MEND_MS = 5_000
"""How long until views that could not be made anew are tried again."""


class Mending:
    """One task at most, from the damage until the file is whole."""

    def __init__(self, views: Views, reader: Reader, writer: Writer, executor: Executor, alarms: Alarms) -> None:
        """*executor* is the one in whose thread the views are written."""
        self._views, self._reader, self._writer = views, reader, writer
        self._executor, self._alarms = executor, alarms
        self.anew: dict[str, Callable[[], View]] = {}
        """By name: what makes such a view, empty."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """From here on damage is mended; within the loop."""
        loop = asyncio.get_running_loop()
        self._views.fill = self._fill

        def damaged() -> None:
            loop.call_soon_threadsafe(self._begin)

        self._views.on_damage = damaged

    async def done(self) -> None:
        """Wait until the file that is damaged is whole. LedgerError when it cannot be made anew."""
        self._begin()
        assert self._task is not None
        await asyncio.shield(self._task)
        if self._views.damage is not None:
            raise LedgerError(self._reader.recorder.damage or self._views.damage)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        if self._views.damage is not None:
            log.say("views.at_fault", error=self._views.damage)
        while self._views.damage is not None:
            try:
                await loop.run_in_executor(self._executor, self._views.make_anew)
            except (sqlite3.OperationalError, OSError) as error:
                log.say("views.not_mended", error=in_words(error, self._views.path))
                await pause(self._alarms, MEND_MS)
            except (sqlite3.DatabaseError, LedgerError) as error:
                log.say("views.lost", error=error)
                self._writer.health.doubt()
                return
            else:
                log.say("views.mended", file=self._views.path)

    def _fill(self, path: Path, seen: Mapping[str, int]) -> None:
        make(self._reader, path, {self.anew[name](): position for name, position in seen.items()})
