"""Whether the ledger can be written: what is wrong is said once, and tried now and then, until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from core.alarms import Alarm, Alarms
from core.errors import LedgerError
from core.ledger.fault import in_one_line, is_foreseen
from core.ledger.store import Appender
from core.limits import PROBE_MS
from core.log import Log

log = Log("ledger")


class Health:
    """Of one appender, which is tried in *executor*; lives on the loop."""

    def __init__(self, appender: Appender, alarms: Alarms, executor: Executor) -> None:
        self._appender, self._alarms, self._executor = appender, alarms, executor
        self.fault: str | None = None
        """Why the ledger cannot be written, in one line that says what to do; None when it can."""
        self.on_fault: list[Callable[[bool], None]] = []
        """Called with True when the ledger begins to be at fault, and with False when it no longer is."""
        self._probe: Alarm | None = None
        self._is_closed = False

    def lost(self, fault: str | None) -> None:
        """The database does not answer what was asked of it, and is asked again; None: it has answered."""
        if fault is not None and not self._is_closed:
            self.at_fault(LedgerError(f"the connection was lost: {fault}"))

    def doubt(self) -> None:
        """Somebody could not read the ledger: see whether it can still be written."""
        if self._probe is None and not self._is_closed:
            self._probe = self._alarms.after(0, self._try)

    def at_fault(self, error: BaseException) -> None:
        """Say what is wrong, once, and look now and then whether it still is: nobody may come who would find out."""
        fault = in_one_line(error, self._appender.recorder.path)
        if fault != self.fault:
            is_new, self.fault = self.fault is None, fault
            log.say("ledger.commit_failed", None if is_foreseen(error) else error, error=fault)
            if is_new:
                for tell in self.on_fault:
                    tell(True)
        if self._probe is None and not self._is_closed and self._appender.recorder.damage is None:
            self._probe = self._alarms.after(PROBE_MS, self._try)

    def well(self) -> None:
        """It was written just now."""
        if self.fault is not None:
            self.fault = None
            log.say("ledger.written_again")
            for tell in self.on_fault:
                tell(False)

    def _try(self) -> None:
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._executor, self._appender.probe).add_done_callback(self._tried)

    def _tried(self, future: asyncio.Future[None]) -> None:
        self._probe = None
        error = future.exception()
        if error is None:
            self.well()
        else:
            self.at_fault(error)

    def close(self) -> None:
        """Nothing is tried any more."""
        self._is_closed = True
        if self._probe is not None:
            self._probe.cancel()
