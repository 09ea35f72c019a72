"""Whether a process takes its part from Kafka: not while its own way to the ledger is cut off.

What it takes cannot be recorded then, and nobody else is given it. So its part is left to processes that the ledger
answers, until it answers this one as well. Where it answers nobody, nothing is lost by that.
"""

from __future__ import annotations

from collections.abc import Callable

from core.alarms import pause
from core.limits import CUT_OFF_S
from core.log import Log
from core.office import Office
from delivery.kafka.records import Incoming

log = Log("kafka")

LOOK_MS = 500
"""How often it is looked whether the ledger answers."""
STEADY_S = 2.0
"""For so long it answers before a group is joined again: by then what others could not record is recorded as well."""


class Membership:
    """In the group of *incoming*, which it begins in, or out of it."""

    def __init__(self, what: str, incoming: Incoming, office: Office, let_go: Callable[[], None]) -> None:
        """*what* is read, in words. *let_go* is called before the group is left."""
        self._what, self._incoming, self._let_go = what, incoming, let_go
        self._writer, self._clock, self._alarms = office.writer, office.clock, office.alarms
        self.is_out = False

    @property
    def reason(self) -> str | None:
        """Why nothing comes; None: it may."""
        return f"{self._what} are left to others, until the ledger answers this process" if self.is_out else None

    async def look_often(self) -> None:
        """Leave and join, for ever."""
        answered = silent = self._clock.monotonic_ms()
        while True:
            await pause(self._alarms, LOOK_MS)
            now = self._clock.monotonic_ms()
            waits_ms = round(self._writer.waits_s * 1_000)
            if self._writer.health.fault is None:
                # A network may have dropped what it was asked.
                answered = max(answered, now - waits_ms)
            if self._writer.health.fault is not None or waits_ms > LOOK_MS:
                silent = now
            if self.is_out and now - silent > STEADY_S * 1_000:
                self.is_out = False
                log.say("kafka.joins", what=self._what)
                self._incoming.join()
            elif not self.is_out and now - answered > CUT_OFF_S * 1_000:
                self.is_out = True
                log.say("kafka.leaves", what=self._what, wait_s=f"{CUT_OFF_S:g}")
                self._let_go()
                await self._incoming.leave()
