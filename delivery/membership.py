"""Whether a process takes its part from Kafka: not while its own way to the ledger is cut off.

What it takes cannot be recorded then, and nobody else is given it. So its part is left to processes that the ledger
answers, until it answers this one as well. Where it answers nobody, nothing is lost by that.
"""

from __future__ import annotations

from collections.abc import Callable

from core.alarms import Alarms, pause
from core.clock import Clock
from core.limits import CUT_OFF_S
from core.log import Log
from delivery.kafka.records import Incoming

log = Log("kafka")

LOOK_MS = 500
"""How often it is looked whether the ledger answers."""


class Membership:
    """In the group of *incoming*, which it begins in, or out of it."""

    def __init__(
        self, what: str, incoming: Incoming, clock: Clock, is_answered: Callable[[], bool], let_go: Callable[[], None]
    ) -> None:
        """*what* is read, in words. *is_answered*: whether the ledger has answered all it was asked, as far as that is
        known. *let_go* is called before the group is left."""
        self._what, self._incoming, self._clock = what, incoming, clock
        self._is_answered, self._let_go = is_answered, let_go
        self._is_out = False

    @property
    def reason(self) -> str | None:
        """Why nothing comes; None: it may."""
        return f"others take {self._what}, until the ledger answers this process" if self._is_out else None

    async def look_often(self, alarms: Alarms) -> None:
        """Leave and join, for ever."""
        answered_at = self._clock.monotonic_ms()
        while True:
            await pause(alarms, LOOK_MS)
            now = self._clock.monotonic_ms()
            if self._is_answered():
                answered_at = now
                if self._is_out:
                    self._is_out = False
                    log.say("kafka.joins", what=self._what)
                    self._incoming.join()
            elif not self._is_out and now - answered_at > CUT_OFF_S * 1_000:
                self._is_out = True
                log.say("kafka.leaves", what=self._what, wait_s=CUT_OFF_S)
                self._let_go()
                await self._incoming.leave()
