"""The workers' side of the broker over Kafka: takes deliveries off their topic, and has each attempted once.

Offsets are committed only up to what is recorded, so whoever has a partition next begins there. Nothing is put back:
what is not attempted here in time, the outbox hands out again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from core.alarms import pause
from core.clock import Moment
from core.gauges import Sample
from core.ledger.unit import Unit
from core.limits import CARRIED_COMMIT_S, CARRY_S, TOTAL_S
from core.log import Log
from core.model.delivery import AttemptFailed, Delivered, LateAttempt
from core.office import Office
from delivery.broker import InProcessBroker
from delivery.carrier import Means
from delivery.gate import Gate
from delivery.kafka.records import Incoming, Partition, Record
from delivery.membership import Membership
from delivery.rows import Lane, Row
from delivery.station.progress import Place
from delivery.station.room import Room
from delivery.station.share import Share
from delivery.station.taken import key_of
from delivery.station.unpacking import Taken, Unpacking
from delivery.worker import Workers

log = Log("station")

WITHIN_MS = round(CARRY_S * 1_000)
"""What was handed out longer ago has not enough time left to come to its end."""
MEMBER_AGAIN_MS = 100
"""How long until it is looked again whether the partitions are still ours."""


class Station:
    """Takes from `start` to `stop`; the issuer of its workers. Lives on one event loop."""

    def __init__(self, office: Office, means: Means, incoming: Incoming) -> None:
        self._incoming, self._directory = incoming, office.directory
        self._clock, self._alarms = office.clock, office.alarms
        self._room = Room(office.clock, means.shares.young_requests)
        self._begun_max = means.shares.young_requests + means.shares.old_requests
        self.lanes: dict[int, Lane] = {}
        self._enabled: dict[int, int] = {}
        """By webhook, where in the ledger it was enabled the last time: what its receiver asked for before is over."""
        self.gate = Gate(self._begin)
        self._broker = InProcessBroker()
        self.workers = Workers(
            office, self._broker, self, means.sender, means.jitter, means.schedule_s, within_ms=WITHIN_MS
        )
        self._broker.on_work, self.workers.on_recorded = self.workers.call, self._recorded
        self._shares: dict[Partition, Share] = {}
        self._leaving: set[Share] = set()
        """Of partitions that are being handed over, until nothing of them is under way."""
        self._queue: deque[Taken] = deque()
        self._begun: dict[int, Taken] = {}
        """By key: what is under way, or on its way into the ledger."""
        self._tied: dict[int, list[Place]] = {}
        """By key, other records of what was begun: they are done when that is."""
        self._unpacking = Unpacking(office, incoming, self._begun.__contains__, self._tie)
        self._membership = Membership("deliveries", incoming, office, self._let_all_go)
        self._health = office.writer.health
        self._is_waiting = False
        self._tasks: list[asyncio.Task[None]] = []
        self.late = 0
        """Deliveries that were taken and not attempted: there was not enough time left, or the webhook is disabled."""

    def reasons(self) -> list[str]:
        """Why deliveries wait that could be made."""
        reasons = (self._unpacking.fault, self._membership.reason, self._incoming.fault, self.workers.shortage())
        return [f"deliveries wait: {reason}" for reason in reasons if reason is not None]

    async def samples(self) -> list[Sample]:
        """For `/metrics`."""
        name = "hookledger_worker_deliveries_total"
        return [
            *((name, (what,), count) for what, count in self._unpacking.counts.items()),
            (name, ("late",), self.late),
            ("hookledger_worker_under_way", ("young",), len(self._room.young)),
            ("hookledger_worker_under_way", ("old",), len(self._room.slow)),
            ("hookledger_worker_waiting", (), len(self._queue)),
        ]

    def start(self) -> None:
        self._health.on_fault.append(self._heed_fault)
        if self._health.fault is not None:
            self.gate.shut()
        tasks = (self._run(), self._commit_often(), self._membership.look_often())
        self._tasks = [asyncio.create_task(one) for one in tasks]

    async def stop(self, wait_s: float) -> int:
        """Begin nothing more, finish what was begun, within so many seconds, and leave the group. How many were cut
        off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._let_go(self._shares.values())
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await asyncio.gather(*(share.at_rest() for share in {*self._shares.values(), *self._leaving}))
        cut_off = len(self._begun)
        if cut_off:
            log.say("station.cut_off", deliveries=cut_off)
        await self.workers.stop()
        for taken in self._begun.values():
            taken.share.end()
        await self._incoming.close()
        return cut_off

    # Partitions

    async def released(self, partitions: Collection[Partition]) -> None:
        """For who is to hand *partitions* over: begins nothing more of them, and returns when what was begun is
        recorded and committed."""
        shares = {place: self._shares.pop(place) for place in partitions if place in self._shares}
        self._let_go(shares.values())
        self._leaving.update(shares.values())
        try:
            await asyncio.gather(*(share.at_rest() for share in shares.values()))
        finally:
            self._leaving.difference_update(shares.values())
        await self._commit(shares)

    def _let_go(self, shares: Iterable[Share]) -> None:
        for share in shares:
            share.is_let_go = True
        queue, self._queue = self._queue, deque()
        for taken in queue:
            if taken.share.is_let_go:
                self._unpacking.forget(taken)
            else:
                self._queue.append(taken)

    async def _commit_often(self) -> None:
        while True:
            await pause(self._alarms, round(CARRIED_COMMIT_S * 1_000))
            await self._commit({place: share for place, share in self._shares.items() if not share.is_let_go})

    def _let_all_go(self) -> None:
        shares, self._shares = self._shares, {}
        self._let_go(shares.values())
        self._leaving = {share for share in (*self._leaving, *shares.values()) if share.begun}

    def _heed_fault(self, is_at_fault: bool) -> None:
        """No request is made whose outcome could not be recorded."""
        if is_at_fault:
            self.gate.shut()
        else:
            self.gate.open()

    async def _commit(self, shares: Mapping[Partition, Share]) -> None:
        """Where it cannot be, whoever reads them again finds them in the ledger."""
        said = {place: offset for place, share in shares.items() if (offset := share.progress.to_commit()) is not None}
        if said and await self._incoming.commit(said) is None:
            for place, offset in said.items():
                shares[place].progress.committed = offset

    # From records to workers

    async def _run(self) -> None:
        while records := await self._incoming.take():
            try:
                await self._accept(records)
            except Exception as bug:  # noqa: BLE001 -- whatever it was, the other records must not wait for it
                log.say("station.bug", bug)

    async def _accept(self, records: Sequence[Record]) -> None:
        shares = [(record, self._shares.setdefault(record.place, Share())) for record in records]
        taken = await self._unpacking.unpacked(shares)
        # As if it had been handed out here, with as much time left.
        ahead = self._clock.monotonic_ms() - self._clock.now_ms() - round(TOTAL_S * 1_000) - WITHIN_MS
        for one in taken:
            one.row.handed_out_at = one.parcel.until + ahead
            self._note(one.row.webhook, one.parcel.last_success)
            self._wait(one)
        self._begin()

    def _note(self, webhook: int, last_success: int | None) -> None:
        lane = self.lanes.get(webhook)
        if lane is None:
            lane = self.lanes[webhook] = Lane(webhook)
        enabled = self._directory.by_number[webhook].enabled_position
        if self._enabled.setdefault(webhook, enabled) != enabled:
            self._enabled[webhook], lane.held_until = enabled, 0
        if last_success is not None and (lane.last_success is None or lane.last_success < last_success):
            lane.last_success = last_success

    def _wait(self, taken: Taken) -> None:
        if taken.share.is_let_go:
            self._unpacking.forget(taken)
        else:
            self._queue.append(taken)

    def _begin(self) -> None:
        """Give to workers what waits, as far as there is room, and for as long as it is ours."""
        while self._queue and not (self.gate.reasons or self._membership.is_out) and self._has_room():
            if not self._incoming.is_member:
                # Another may have these partitions by now; whether that is so is known soon.
                self._begin_after(MEMBER_AGAIN_MS)
                return
            taken = self._queue.popleft()
            if taken.key in self._begun:
                # Its outcome waits for the ledger, for longer than the outbox did.
                self._tie(taken.key, taken.place)
                continue
            self._begun[taken.key] = taken
            taken.share.begun += 1
            self._room.begin(taken.row)
            self._broker.put(taken.row)

    def _has_room(self) -> bool:
        if len(self._begun) >= self._begun_max:
            return False
        wait_ms = self._room.wait_ms()
        if wait_ms:
            self._begin_after(wait_ms)
        return not wait_ms

    def _begin_after(self, wait_ms: int) -> None:
        def begin() -> None:
            self._is_waiting = False
            self._begin()

        if not self._is_waiting:
            self._is_waiting = True
            self._alarms.after(max(wait_ms, 1), begin)

    # What workers say

    def finished(self, row: Row, at: Moment, *, is_good: bool, holds_until: int | None = None) -> None:
        """The request came to its end just now; its outcome is on its way into the ledger."""
        lane = self.lanes[row.webhook]
        if holds_until is not None:
            lane.held_until = max(lane.held_until, holds_until)
        if is_good:
            lane.last_success = at[0]
        self._room.end(row)
        self._begin()

    def returned(self, row: Row, *, holds_until: int = 0) -> None:
        """No request was made: it waits for as long as it may, where that is of use."""
        lane, now = self.lanes[row.webhook], self._clock.now_ms()
        lane.held_until = max(lane.held_until, holds_until)
        self._room.end(row)
        taken = self._begun.pop(key_of(row.number, row.attempt))
        wait_ms = max(lane.held_until - now, 0)
        is_late = self._clock.monotonic_ms() + wait_ms - row.handed_out_at > WITHIN_MS
        if self._directory.by_number[row.webhook].enabled and not is_late:
            self._alarms.after(wait_ms, partial(self._again, taken))
        else:
            self.late += 1
            if is_late:
                log.say("station.late", delivery=row.number)
            self._unpacking.forget(taken)
            taken.place.leave()
        self._has_come_to_an_end(taken)
        self._begin()

    def _again(self, taken: Taken) -> None:
        self._wait(taken)
        self._begin()

    def _recorded(self, unit: Unit) -> None:
        event = unit.entries[0].event
        assert isinstance(event, Delivered | AttemptFailed | LateAttempt)
        taken = self._begun.pop(key_of(event.number, event.attempt.number))
        taken.place.leave()
        self._has_come_to_an_end(taken)

    def _tie(self, key: int, place: Place) -> None:
        self._tied.setdefault(key, []).append(place)

    def _has_come_to_an_end(self, taken: Taken) -> None:
        """Of what was begun: it is recorded, or was not made after all."""
        for place in self._tied.pop(taken.key, ()):
            place.leave()
        taken.share.end()
