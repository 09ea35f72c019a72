"""From records of the deliveries' topic to what is to be attempted: each attempt once, and none that is recorded.

What was in its partition already when that became ours, and what was long on its way, is looked up in the ledger. Of
the rest it is remembered what was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from core.alarms import pause
from core.errors import HookledgerError, InvalidInputError
from core.ledger.fault import FAULTS, in_one_line
from core.ledger.unit import Unit
from core.limits import CHECK_MS
from core.log import Log
from core.office import Office
from delivery.kafka.records import Incoming, Record
from delivery.outcome import stands_in_the_way
from delivery.parcel import Parcel, decoded, row_of
from delivery.rows import Row
from delivery.station.progress import Place
from delivery.station.share import Share
from delivery.station.taken import Memory, key_of

log = Log("station")

AGAIN_MS = 1_000
"""How long until the ledger is asked again that did not answer."""

Answer = TypeVar("Answer")


class Taken(NamedTuple):
    """A delivery, and the record that it came in."""

    row: Row
    parcel: Parcel
    share: Share
    place: Place
    is_doubtful: bool
    """The ledger may have its outcome already."""

    @property
    def key(self) -> int:
        return key_of(self.row.number, self.row.attempt)


class Unpacking:
    """Reads one batch of records after the other."""

    def __init__(
        self,
        office: Office,
        incoming: Incoming,
        is_begun: Callable[[int], bool],
        tie: Callable[[int, Place], None],
    ) -> None:
        """*is_begun*: whether an attempt, by its key, is under way here, or on its way into the ledger. *tie*: called
        with another record of it, which is done when that is."""
        self._is_begun, self._tie = is_begun, tie
        self._office, self._incoming, self._clock = office, incoming, office.clock
        self._known = office.directory.by_number
        self._memory, self._ledger = Memory(), office.recorder.identity
        self.fault: str | None = None
        """Why the ledger does not say what is recorded; None: it does, or was not asked."""
        self.counts = dict.fromkeys(("taken", "second", "recorded", "unwanted", "foreign", "unreadable"), 0)
        """What became of the deliveries that records brought; of records that are none, how many."""

    async def unpacked(self, records: Sequence[tuple[Record, Share]]) -> list[Taken]:
        """Waits for the ledger where that is to be asked, however long it takes."""
        now = self._clock.now_ms()
        self._memory.prune(now)
        taken: list[Taken] = []
        try:
            for record, share in records:
                taken += self._opened(record, share, now)
            over = await self._over(taken)
        except Exception:  # a fault of ours: the outbox hands them out again, and what comes behind them need not wait
            self.fault = None
            for one in taken:
                self.forget(one)
                one.place.leave()
            raise
        wanted = []
        for one in taken:
            why = over.get(one.key)
            if why is None:
                wanted.append(one)
            else:
                one.place.leave()
            self.counts[why or "taken"] += 1
        return wanted

    async def _over(self, taken: Sequence[Taken]) -> dict[int, str]:
        """Those that are not to be attempted, by their key, and why."""
        if any(not self._is_followed(one) for one in taken):
            await self._patiently(lambda: self._office.writer.append([Unit([])]))
        doubtful = [one for one in taken if one.is_doubtful]
        over = await self._patiently(partial(self._recorded, doubtful)) if doubtful else {}
        return over | {one.key: "unwanted" for one in taken if not self._is_followed(one)}

    def forget(self, taken: Taken) -> None:
        """It is not attempted here: a second record of it is as good as this one."""
        self._memory.forget(taken.key)

    def _opened(self, record: Record, share: Share, now: int) -> list[Taken]:
        """What of a record was not taken before."""
        try:
            parcel = decoded(record.value)
        except InvalidInputError as error:
            self._unreadable(record, error)
            share.progress.take(record.offset, 0)
            return []
        rows = self._rows(record, parcel)
        if parcel.ledger != self._ledger:
            if not self.counts["foreign"]:
                log.say("station.foreign", partition=str(record.place), offset=record.offset)
            self.counts["foreign"] += len(rows)
            share.progress.take(record.offset, 0)
            return []
        memory = self._memory
        keys = [key_of(row.number, row.attempt) for row in rows]
        begun = [key for key in keys if self._is_begun(key)]
        new = [
            (row, key in memory)
            for row, key in zip(rows, keys, strict=True)
            if key not in begun and not memory.is_known(key, parcel.handed_out)
        ]
        self.counts["second"] += len(rows) - len(new)
        memory.add([key_of(row.number, row.attempt) for row, _ in new], parcel.until)
        place = share.progress.take(record.offset, len(new) + len(begun))
        for key in begun:
            self._tie(key, place)
        is_doubtful = record.offset < self._incoming.end(record.place) or now - parcel.handed_out > CHECK_MS
        # What was taken before, and not in time, may be recorded since.
        return [Taken(row, parcel, share, place, is_doubtful or was_taken) for row, was_taken in new]

    def _rows(self, record: Record, parcel: Parcel) -> list[Row]:
        """Those that can be read."""
        rows = []
        for carried in parcel.rows:
            try:
                rows.append(row_of(parcel, carried))
            except InvalidInputError as error:
                self._unreadable(record, error)
        return rows

    def _unreadable(self, record: Record, error: InvalidInputError) -> None:
        log.say("station.unreadable", partition=str(record.place), offset=record.offset, error=error)
        self.counts["unreadable"] += 1

    def _is_followed(self, one: Taken) -> bool:
        """Whether the directory knows the webhook at least as the outbox did."""
        known = self._known.get(one.row.webhook)
        return known is not None and known.version >= one.parcel.webhook_version

    async def _recorded(self, doubtful: Sequence[Taken]) -> dict[int, str]:
        """Those that the ledger does not want attempted any more, by their key, and why."""
        streams = {one.row.delivery for one in doubtful}
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._office.reading, self._office.reader.streams, streams)
        over = {}
        for one in doubtful:
            events = found.get(one.row.delivery)
            if events is None:
                # Of another ledger, or of what was lost with the end of this one.
                over[one.key] = "unwanted"
            elif any(stands_in_the_way(recorded.event, one.row.attempt) for recorded in events):
                over[one.key] = "recorded"
        return over

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        while True:
            try:
                answer = await ask()
            except (HookledgerError, *FAULTS) as error:
                fault = in_one_line(error, "the ledger")
                if fault != self.fault:
                    log.say("station.waits", error=fault)
                self.fault = fault
            else:
                self.fault = None
                return answer
            await pause(self._office.alarms, AGAIN_MS)
