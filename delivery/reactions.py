"""What the outbox does about what happened: 410 and three days of failure disable; disabling and forgetting cancel.

A reaction carries the position of its cause; a webhook that was enabled again since refuses it.
"""

from __future__ import annotations

import asyncio
from typing import Literal, cast

from core.errors import HookledgerError
from core.ledger.fault import FAULTS
from core.ledger.follow import Follower
from core.ledger.unit import Answer, Entry, StaleStream, Unit
from core.limits import CANCEL_CHUNK
from core.log import Log
from core.model import delivery
from core.office import Office
from delivery import outbox_table
from delivery.dispatch import Dispatch
from delivery.outbox import Outbox
from delivery.rows import Lane, Row

log = Log("reactions")

AGAIN_MS = 1_000
"""How long until what the ledger did not take is tried again."""


class Reactions:
    """One task that does what is to be done, one thing after the other."""

    follower: Follower
    """The outbox's; to be set before there is anything to do."""

    def __init__(self, office: Office, outbox: Outbox, dispatch: Dispatch) -> None:
        self._outbox, self._dispatch = outbox, dispatch
        self._directory, self._writer, self._views = office.directory, office.writer, office.views
        self._executor, self._clock, self._alarms = office.reading, office.clock, office.alarms
        self._disable = office.webhooks.disable_for
        self._cancelling: dict[int, Lane] = {}
        self._refused: dict[int, list[Answer]] = {}
        """What the ledger said to the last chunk of each of these, where it took none of it."""
        self._forgotten: dict[int, Row] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        outbox.on_reaction = self._start
        dispatch.on_disabled = self.cancel

    @property
    def waiting(self) -> int:
        """Webhooks to be disabled, and those whose deliveries are to be cancelled."""
        return len(self._outbox.reactions) + len(self._cancelling)

    def cancel(self, lane: Lane) -> None:
        """Cancel what waits for a webhook that is disabled or deleted."""
        self._cancelling[lane.number] = lane
        self._start()

    def forget(self, row: Row) -> None:
        """Cancel a delivery whose payload was forgotten before it could be sent."""
        self._forgotten[row.number] = row
        self._start()

    def _start(self) -> None:
        if self._task is None and self._dispatch.is_open and not self._is_stopping:
            self._task = asyncio.create_task(self._run())

    def resume(self) -> None:
        """Do what a process before this one left to be done."""
        for lane in self._dispatch.lanes.values():
            has_rows = lane.spilled or lane.wake_at is not None or bool(lane.waiting)
            if has_rows and not self._dispatch.is_enabled(lane):
                self._cancelling[lane.number] = lane
        if self._outbox.reactions or self._cancelling:
            self._start()

    async def _run(self) -> None:
        try:
            while (self._outbox.reactions or self._cancelling or self._forgotten) and not self._is_stopping:
                for number, (reason, cause) in list(self._outbox.reactions.items()):
                    await self._react(number, reason, cause)
                await self._cancel_forgotten()
                # A chunk of each in turn: a long one holds up nothing else.
                for number in list(self._cancelling):
                    lane = self._cancelling.pop(number)
                    try:
                        is_done = await self._cancel_some(lane)
                    except (HookledgerError, *FAULTS):
                        self._cancelling[number] = lane
                        raise
                    if not is_done:
                        self._cancelling[number] = lane
        except (HookledgerError, *FAULTS) as error:
            log.say("reaction.waits", error=error)
            if not self._is_stopping:
                self._alarms.after(AGAIN_MS, self._start)
        finally:
            self._task = None

    async def _react(self, number: int, reason: str, cause: int) -> None:
        known = self._directory.by_number[number]
        if known.enabled and cause > known.enabled_position:
            await self._disable(number, cast(Literal["gone", "failing"], reason), cause)
        await self.follower.flush()
        known = self._directory.by_number[number]
        is_refused = not known.enabled or cause <= known.enabled_position
        if is_refused and self._outbox.reactions.get(number) == (reason, cause):
            # Whoever enabled it since has seen the cause, or it was disabled before.
            del self._outbox.reactions[number]

    async def _cancel_some(self, lane: Lane) -> bool:
        """Cancel a chunk of what waits for a webhook; whether nothing is left to be done."""
        refused = self._refused.pop(lane.number, [])
        if self._dispatch.is_enabled(lane):
            return True
        await self.follower.flush()
        loop = asyncio.get_running_loop()
        limit = CANCEL_CHUNK + lane.marked
        found = await loop.run_in_executor(self._executor, outbox_table.numbers_of, self._views, lane.number, limit)
        units = self._cancelling_units(lane, found)
        if not units:
            return True
        answers = await self._writer.append(units)
        if all(isinstance(answer, StaleStream) for answer in answers):
            if answers == refused:
                log.say("cancelling.stuck", webhook=lane.number, deliveries=len(units), answer=answers[0])
                return True
            self._refused[lane.number] = answers
        return False

    async def _cancel_forgotten(self) -> None:
        """One that has moved on meanwhile is refused, and comes again if it is still to be sent."""
        some = list(self._forgotten.values())[:CANCEL_CHUNK]
        if not some:
            return
        units = []
        for row in some:
            tenant = self._directory.by_number[row.webhook].tenant
            event = delivery.Cancelled(tenant, self._clock.now_ms(), row.webhook, row.number, "forgotten")
            units.append(Unit([Entry(row.delivery, row.version + 1, event)]))
        await self._writer.append(units)
        for row in some:
            log.say("delivery.forgotten", delivery=row.number)
            self._forgotten.pop(row.number, None)

    def _cancelling_units(self, lane: Lane, found: list[tuple[int, bytes, int]]) -> list[Unit]:
        """Nothing is cancelled that is under way, or once somebody has enabled the webhook again."""
        webhook = self._directory.by_number[lane.number]
        if webhook.enabled:
            return []
        reason: Literal["deleted", "disabled"] = "deleted" if webhook.deleted else "disabled"
        now, condition = self._clock.now_ms(), self._directory.condition(webhook.tenant)
        units = []
        for number, stream, version in found:
            row = self._outbox.rows.get(number)
            if (row is None or not row.is_marked) and number not in self._outbox.held:
                event = delivery.Cancelled(webhook.tenant, now, lane.number, number, reason)
                units.append(Unit([Entry(stream, version + 1, event)], condition=condition))
        return units

    async def settled(self) -> None:
        """Wait until nothing is left to be done now."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        self._is_stopping = True
        if self._task is not None:
            await self._task
