"""Hands deliveries over to workers in other processes: as records of a topic first, then marked.

A record that was written and not marked, because the leader died between, is one that the next leader writes again; a
worker attempts the first of the two. What comes to no end within the mark's time, since its record was lost or its
worker could not attempt it in time, is due again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from core.alarms import Alarm, Alarms, pause
from core.clock import Clock
from core.errors import OverloadedError
from core.limits import CARRIED_MARK_S
from core.log import Log
from delivery.kafka.records import Message, Outgoing, Refused
from delivery.marking import AGAIN_MS, Marking, Term
from delivery.parcel import Of, Parcel, encoded, packed
from delivery.rows import Mark, Row

log = Log("outbox")


class Handover(Marking):
    """The outbox's side of the broker over Kafka."""

    for_s = CARRIED_MARK_S

    def __init__(
        self,
        outgoing: Outgoing,
        topic: str,
        term: Term,
        clock: Clock,
        alarms: Alarms,
        of: Callable[[int], Of],
        ledger: bytes,
    ) -> None:
        """*of* tells of a webhook by its number; *ledger* is its identity."""
        super().__init__(term, alarms)
        self._outgoing, self._topic, self._clock, self._of = outgoing, topic, clock, of
        self._ledger = ledger
        self._refused: str | None = None
        self._too_large: dict[int, None] = {}
        """Deliveries of which the topic does not take the record."""
        self._looks: dict[int, tuple[Alarm, list[int]]] = {}
        """By mark, the look at it when its time is over, and the deliveries under it."""
        self.on_overdue: Callable[[list[int], Mark], None] = lambda _deliveries, _mark: None
        """Called when a mark's time is over, with the deliveries that were under it."""

    @property
    def fault(self) -> str | None:
        """Why deliveries do not reach Kafka, or some do not; None: they do."""
        fault = self._refused or self._outgoing.fault
        if fault is None and self._too_large:
            return f"{len(self._too_large)} are larger than the topic {self._topic} takes: raise its max.message.bytes"
        return fault

    async def _sent(self, rows: Sequence[Row]) -> bool:
        waiting = list(rows)
        while not self._is_closed and self._term.is_sure:
            # Of some that were refused a record may be there, and by now its outcome.
            waiting = await self._send([row for row in waiting if row.is_marked])
            if not waiting:
                self._refused = None
                return True
            await pause(self._alarms, AGAIN_MS)
        return False

    async def _send(self, rows: Sequence[Row]) -> list[Row]:
        """Write their records; those that are to be written again, since the broker has not said that it has them."""
        now = self._clock.now_ms()
        parcels = packed(rows, self._of, now, now + round(CARRIED_MARK_S * 1_000), self._ledger)
        try:
            outcomes = await self._outgoing.send([self._message(parcel) for parcel, _ in parcels])
        except OverloadedError as error:
            self._say(str(error))
            return list(rows)
        left: list[Row] = []
        for (_, some), outcome in zip(parcels, outcomes, strict=True):
            if not isinstance(outcome, Refused):
                self._not_too_large(row.number for row in some)
                continue
            self._say(outcome.reason)
            if outcome.is_too_large:
                # It stays marked, and is tried again when that is over: the others need not wait for it.
                self._too_large |= {row.number: None for row in some}
            else:
                left += some
        return left

    def _message(self, parcel: Parcel) -> Message:
        return Message(self._topic, parcel.key, encoded(parcel))

    def _say(self, reason: str) -> None:
        if self._refused != reason:
            log.say("handover.refused", topic=self._topic, error=reason)
        self._refused = reason

    def _marked(self, rows: Sequence[Row], mark: Mark) -> None:
        for row in rows:
            if row.is_marked:
                row.mark = mark
            else:
                # A worker was faster: what came of it is recorded.
                mark.leave()
        # Their numbers only: one that hangs is not to keep the others in memory.
        numbers = [row.number for row in rows]
        if mark.is_over:
            self._not_too_large(numbers)
        else:
            alarm = self._alarms.after(round(self.for_s * 1_000), partial(self._look, numbers, mark))
            self._looks[mark.number] = alarm, numbers

    def _look(self, deliveries: list[int], mark: Mark) -> None:
        del self._looks[mark.number]
        # What is still to be made is tried again now, and the broker says it again.
        self._not_too_large(deliveries)
        if not self._is_closed:
            self.on_overdue(deliveries, mark)

    def _end(self, number: int) -> None:
        super()._end(number)
        look = self._looks.pop(number, None)
        if look is not None:
            alarm, numbers = look
            alarm.cancel()
            self._not_too_large(numbers)

    def _not_too_large(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._too_large.pop(number, None)
