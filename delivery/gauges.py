"""What those who carry know of their own state, as samples of the metrics in core.metrics; reads memory only."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from core.gauges import Sample, in_chunks
from delivery.dispatch import Dispatch
from delivery.lean_sender import LeanSender
from delivery.reactions import Reactions
from delivery.rows import HANGING
from delivery.sender import Sender


class Gauges:
    """Reads one service's dispatch, reactions and sender."""

    def __init__(self, dispatch: Dispatch, reactions: Reactions, sender: Sender, now_ms: Callable[[], int]) -> None:
        self._dispatch, self._reactions, self._sender, self._now_ms = dispatch, reactions, sender, now_ms

    async def samples(self) -> list[Sample]:
        return [*self._of_dispatch(), *self._of_sender(), *await self._of_lanes()]

    def _of_dispatch(self) -> Iterable[Sample]:
        dispatch = self._dispatch
        yield "hookledger_deliveries_ready", (), dispatch.ready_rows
        yield "hookledger_deliveries_ready_bytes", (), dispatch.ready_bytes
        yield "hookledger_deliveries_under_way", ("young",), dispatch.young
        yield "hookledger_deliveries_under_way", ("old",), dispatch.old
        yield "hookledger_deliveries_unrecorded", (), dispatch.unrecorded
        yield "hookledger_reactions_waiting", (), self._reactions.waiting

    def _of_sender(self) -> Iterable[Sample]:
        sender = self._sender
        if isinstance(sender, LeanSender):
            busy, idle = sender.lines
            yield "hookledger_connections", ("busy",), busy
            yield "hookledger_connections", ("idle",), idle
            yield "hookledger_connections_opened_total", (), sender.opened
            for outcome, count in sender.lookups.ended.items():
                yield "hookledger_lookups_total", (outcome,), count
            yield "hookledger_lookups_under_way", (), sender.looking_up
            yield "hookledger_lookup_seconds", (), sender.lookups.took_ms

    async def _of_lanes(self) -> Iterable[Sample]:
        now = self._now_ms()
        every = waiting = window = hanging = held = behind = failing = 0
        oldest = now
        async for chunk in in_chunks(self._dispatch.lanes.values()):
            for lane in chunk:
                every += 1
                waiting += lane.open
                window += lane.window.size
                hanging += lane.standing == HANGING
                held += lane.held_until > now
                behind += lane.spilled
                failing += lane.failing_since is not None
                if lane.ready and lane.standing != HANGING and lane.ready[0].due < oldest:
                    oldest = lane.ready[0].due
        states = (("all", every), ("hanging", hanging), ("held", held), ("spilled", behind), ("failing", failing))
        return (
            *(("hookledger_lanes", (state,), count) for state, count in states),
            ("hookledger_window_requests", (), window),
            ("hookledger_deliveries_open", (), waiting),
            ("hookledger_deliveries_overdue_seconds", (), (now - oldest) / 1_000),
        )
