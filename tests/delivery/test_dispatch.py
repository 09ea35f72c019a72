"""What may be under way: of one webhook, of all, of those that hang; and that nobody is left out."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.limits import SLOW_MS
from delivery.rows import HANGING, NEW, QUICK, Row
from tests.delivery.desk import CONTENT, WEBHOOKS, Desk


def test_a_webhook_with_one_row_goes_before_the_second_row_of_another():
    """Webhooks take turns: thousands of rows of one do not stand before the only row of another."""
    desk = Desk(young_max=4)
    desk.offer(1, 1_000)
    desk.offer(2, 1)
    desk.dispatch.hand_out()
    assert [row.webhook for row in desk.under_way] == [1, 2, 1]
    desk.offer(3, 1)
    desk.finish(desk.under_way[0])
    desk.finish(desk.under_way[0])
    assert 3 in [row.webhook for row in desk.under_way]


def test_a_window_shrinks_when_a_request_is_a_second_old():
    """Not the timeout shrinks a window, but the first second without an answer; the rest goes back to disk then."""
    desk = Desk(young_max=128)
    desk.hand_out(1, 60)
    lane = desk.lanes[0]
    desk.wait(SLOW_MS - 1)
    assert (lane.window.size, desk.dispatch.young, desk.dispatch.old) == (4, 4, 0)
    desk.wait(1)
    assert (lane.window.size, desk.dispatch.young, desk.dispatch.old) == (1, 0, 4)
    assert len(lane.ready) == 16
    assert len(desk.set_aside) == 40


def test_hanging_requests_leave_room_among_the_young():
    """However many webhooks hang, a second later others are served as if there were none."""
    desk = Desk(young_max=8, webhooks=range(1, 21))
    for webhook in range(1, 20):
        desk.offer(webhook, 4)
    for _ in range(20):
        desk.dispatch.hand_out()
        desk.wait(SLOW_MS)
    assert desk.dispatch.young == 0
    desk.hand_out(20, 4)
    assert len(desk.of(20)) == 4


def test_a_webhook_without_rows_in_memory_gets_one_when_memory_is_full(monkeypatch):
    """Rows of webhooks that do not move cannot shut out one that could have a request made."""
    monkeypatch.setattr("delivery.dispatch.READY_ROWS_MAX", 64)
    desk = Desk(young_max=128, webhooks=range(1, 11))
    for webhook in range(1, 10):
        desk.hand_out(webhook, 20)
    desk.wait(SLOW_MS)
    for webhook in range(1, 10):
        desk.dispatch.allowance(desk.lanes[webhook - 1])
    desk.dispatch._shrink(desk.lanes[9])
    assert desk.dispatch.allowance(desk.lanes[9]) == 1
    desk.hand_out(10, 3)
    assert len(desk.of(10)) == 1


def test_nothing_is_handed_out_beyond_the_outcomes_that_wait(monkeypatch):
    """Outcomes that wait for their commit are bounded: past the limit no request is made until some are recorded."""
    monkeypatch.setattr("delivery.dispatch.UNRECORDED_MAX", 2)
    desk = Desk(young_max=1)
    desk.hand_out(1, 10)
    desk.finish(desk.under_way[0])
    desk.finish(desk.under_way[0])
    assert (desk.dispatch.unrecorded, desk.under_way) == (2, [])
    desk.dispatch.recorded(desk.answered.pop())
    desk.dispatch.hand_out()
    assert (desk.dispatch.unrecorded, len(desk.under_way)) == (1, 1)


async def test_settled_waits_for_the_last_request():
    """A stop waits until no request is under way, young or old."""
    desk = Desk()
    desk.hand_out(1, 2)
    desk.wait(SLOW_MS)
    desk.hand_out(2, 1)
    waiting = asyncio.ensure_future(desk.dispatch.settled())
    for row in list(desk.under_way):
        assert not waiting.done()
        desk.finish(row)
    await waiting


class Life(RuleBasedStateMachine):
    """Rows come, requests end well or badly, early or late, webhooks are switched: the counts are always right."""

    @initialize(young_max=st.integers(1, 6), old_max=st.integers(1, 8), unrecorded_max=st.integers(1, 8))
    def begin(self, young_max, old_max, unrecorded_max) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("delivery.dispatch.UNRECORDED_MAX", unrecorded_max)
        self.patch.setattr("delivery.dispatch.READY_ROWS_MAX", 40)
        self.patch.setattr("delivery.dispatch.READY_PER_WINDOW", 3)
        self.unrecorded_max, self.young_max, self.old_max = unrecorded_max, young_max, old_max
        self.desk = Desk(young_max=young_max, old_max=old_max)
        self.desk.put = self.put
        self.dispatch = self.desk.dispatch
        self.standing = dict.fromkeys(WEBHOOKS, NEW)
        self.handed_out: list[int] = []

    def put(self, row: Row) -> None:
        desk, lane = self.desk, self.dispatch.lanes[row.webhook]
        now = desk.clock.now_ms()
        assert row.number not in self.handed_out
        assert desk.by_number[row.webhook].enabled
        assert lane.held_until <= now
        assert lane.window.under_way <= lane.window.size
        assert len(self.dispatch._young) <= self.young_max
        assert self.dispatch.young + self.dispatch.old <= self.young_max + self.old_max
        assert self.dispatch.unrecorded < self.unrecorded_max
        if self.standing[row.webhook] != QUICK:
            counted = [other for other in desk.under_way if other.is_suspect or self.is_old(other)]
            assert len(counted) < self.limit(row.webhook)
            assert sum(other.is_suspect for other in desk.under_way) < self.suspects_max
        self.handed_out.append(row.number)
        desk.under_way.append(row)

    @property
    def suspects_max(self) -> int:
        """Those that may hang leave a quarter of the young requests to those that are quick."""
        return max(self.young_max * 3 // 4, 1)

    def is_old(self, row: Row) -> bool:
        return self.desk.clock.monotonic_ms() - row.handed_out_at >= SLOW_MS

    def limit(self, webhook: int) -> int:
        """Those that hang leave a quarter to those that are new."""
        return self.old_max - (self.old_max // 4 if self.standing[webhook] == HANGING else 0)

    @rule(webhook=st.sampled_from(WEBHOOKS), rows=st.integers(1, 6))
    def rows_come(self, webhook, rows) -> None:
        self.dispatch.lane(webhook).spilled = False
        self.desk.hand_out(webhook, rows)

    @precondition(lambda self: self.desk.under_way)
    @rule(data=st.data(), is_good=st.booleans(), hold_ms=st.sampled_from([None, None, 700, 3_000]))
    def a_request_ends(self, data, is_good, hold_ms) -> None:
        row = data.draw(st.sampled_from(self.desk.under_way))
        if not self.is_old(row):
            self.standing[row.webhook] = QUICK
        holds_until = None if hold_ms is None or is_good else self.desk.clock.now_ms() + hold_ms
        self.desk.finish(row, is_good=is_good, holds_until=holds_until)
        if not row.is_marked:
            self.desk.answered.remove(row)

    @precondition(lambda self: self.desk.answered)
    @rule(data=st.data())
    def an_outcome_is_recorded(self, data) -> None:
        row = data.draw(st.sampled_from(self.desk.answered))
        self.desk.answered.remove(row)
        self.dispatch.recorded(row)
        self.dispatch.hand_out()

    @precondition(lambda self: any(row.is_marked for row in self.desk.under_way))
    @rule(data=st.data())
    def somebody_else_ends_a_delivery(self, data) -> None:
        self.dispatch.recorded(data.draw(st.sampled_from([row for row in self.desk.under_way if row.is_marked])))

    @precondition(lambda self: self.desk.under_way)
    @rule(data=st.data())
    def a_worker_finds_the_webhook_disabled(self, data) -> None:
        row = data.draw(st.sampled_from(self.desk.under_way))
        self.desk.by_number[row.webhook].enabled = False
        self.desk.under_way.remove(row)
        self.dispatch.returned(row)

    @rule(webhook=st.sampled_from(WEBHOOKS), enabled=st.booleans())
    def a_webhook_is_switched(self, webhook, enabled) -> None:
        self.desk.by_number[webhook].enabled = enabled

    @rule(ms=st.sampled_from([1, 400, 1_000, 5_000]))
    def time_passes(self, ms) -> None:
        clock = self.desk.clock
        until = clock.now_ms() + ms
        while clock.now_ms() < until:
            due = min(clock.next_alarm() or until, until)
            for row in self.desk.under_way:
                if clock.monotonic_ms() + due - clock.now_ms() - row.handed_out_at >= SLOW_MS:
                    self.standing[row.webhook] = HANGING
            clock.turn_to(due)

    @invariant()
    def the_counts_are_right(self) -> None:
        dispatch, under_way = self.dispatch, self.desk.under_way
        assert dispatch.old == sum(map(self.is_old, under_way))
        assert dispatch.young == len(under_way) - dispatch.old
        assert dispatch.unrecorded == len(self.desk.answered)
        assert dispatch._places.suspects == sum(row.is_suspect for row in under_way)
        for lane in dispatch.lanes.values():
            assert lane.window.under_way == len(self.desk.of(lane.number))
            assert lane.standing == self.standing[lane.number]
        ready = [row for lane in dispatch.lanes.values() for row in lane.ready]
        assert dispatch.ready_rows == len(ready)
        assert dispatch.ready_bytes == len(ready) * len(CONTENT.payload)
        assert dispatch._places.n_waiting == sum(map(len, dispatch._places._waiting.values()))
        assert all(lane.standing != QUICK for waiting in dispatch._places._waiting.values() for lane in waiting)

    @invariant()
    def nobody_waits_without_a_reason(self) -> None:
        dispatch, now = self.dispatch, self.desk.clock.now_ms()
        dispatch.hand_out()
        under_way = dispatch.young + dispatch.old
        if dispatch.young >= self.young_max or under_way >= self.young_max + self.old_max:
            return
        if dispatch.unrecorded >= self.unrecorded_max:
            return
        for lane in dispatch.lanes.values():
            if lane.ready and lane.window.has_room and lane.held_until <= now and dispatch.is_enabled(lane):
                assert lane.standing != QUICK
                suspects = dispatch._places.suspects
                assert dispatch.old + suspects >= self.limit(lane.number) or suspects >= self.suspects_max

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
