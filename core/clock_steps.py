"""Records that the machine's clock was set, so that what waits keeps its length.

Between its noticing and the views' knowing of it nothing is handed out. A step that was made while nobody looked is
noticed at the start, if it went back behind the newest recorded event; how far it was is then known only at least.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from core.alarms import Alarms
from core.clock import WatchedClock
from core.errors import HookledgerError
from core.ledger.read import Reader
from core.ledger.unit import Answer, Entry, StaleStream, Unit
from core.ledger.writer import Writer
from core.limits import CLOCK_STEP_MS
from core.log import Log
from core.model.clock import Stepped

log = Log("clock")

CLOCK_STREAM = bytes(15) + b"\2"
AGAIN_MS = 1_000
"""How long until a step that the ledger did not take is offered again."""


class ClockSteps:
    """Watches one clock, from `start` to `stop`."""

    def __init__(self, clock: WatchedClock, writer: Writer, reader: Reader, alarms: Alarms) -> None:
        self._clock, self._writer, self._reader, self._alarms = clock, writer, reader, alarms
        self._version = 0
        self._unrecorded_ms = 0
        self._is_recording = self._is_stopped = False
        self.count = 0
        """Steps noticed since the start."""
        self.on_step: Callable[[], None] = lambda: None
        """Called when one is noticed, before it is recorded."""

    def start(self) -> None:
        """Look for a step that nobody saw; from here on, notice each. Blocks for two short readings."""
        self._begin(self._newest_version())
        head = self._reader.head()
        newest = self._reader.at([head]).get(head)
        now = self._clock.now_ms()
        if newest is not None and newest.event.at - now >= CLOCK_STEP_MS:
            self._stepped(now - newest.event.at)

    async def start_shared(self, executor: Executor) -> None:
        """From here on, notice each step. Who shares the ledger cannot tell by its newest event, which may be by
        another machine's clock, whether its own was set."""
        self._begin(await asyncio.get_running_loop().run_in_executor(executor, self._newest_version))

    def _newest_version(self) -> int:
        known = self._reader.stream(CLOCK_STREAM)
        return known[-1].version if known else 0

    def _begin(self, version: int) -> None:
        self._version, self._is_stopped = version, False
        self._clock.on_step = self._stepped

    @property
    def is_under_way(self) -> bool:
        """One was noticed that is not recorded yet."""
        return self._is_recording or bool(self._unrecorded_ms)

    def stop(self) -> None:
        """Notice and record nothing more."""
        self._is_stopped = True
        self._clock.on_step = lambda _by_ms: None

    def _stepped(self, by_ms: int) -> None:
        self.count += 1
        way = "ahead" if by_ms > 0 else "back"
        log.say("clock.set", way=way, by_s=abs(by_ms) / 1_000)
        self._unrecorded_ms += by_ms
        self.on_step()
        self._record()

    def _record(self) -> None:
        if self._is_recording or self._is_stopped or not self._unrecorded_ms:
            return
        self._is_recording = True
        by_ms, self._unrecorded_ms = self._unrecorded_ms, 0
        event = Stepped("", self._clock.now_ms(), by_ms)

        def answered(answers: list[Answer] | HookledgerError) -> None:
            self._is_recording = False
            if isinstance(answers, HookledgerError):
                self._unrecorded_ms += by_ms
                self._alarms.after(AGAIN_MS, self._record)
                return
            if isinstance(answers[0], StaleStream):
                self._version = answers[0].version
                self._unrecorded_ms += by_ms
            else:
                self._version += 1
            self._record()

        self._writer.submit([Unit([Entry(CLOCK_STREAM, self._version + 1, event)])], answered)
