"""Somebody sets the machine's clock, ahead or back: a wait keeps its length, and durations are what they were."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from core.ledger.append import SqliteAppender
from core.limits import CLOCK_STEP_MS
from core.model.clock import Stepped
from core.model.delivery import AttemptFailed, Delivered
from delivery.rebuilding import _rebuild
from delivery.schedule import SCHEDULE_S
from delivery.sender import Unreached
from tests.delivery.outbox.backlog import append_backlog
from tests.delivery.outbox.turned import BAD, GOOD, answered, fails

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
STEPS_MS = (-400 * DAY_MS, -DAY_MS, -3 * HOUR_MS, -10_000, 10_000, 3 * HOUR_MS, DAY_MS, 400 * DAY_MS)
FOLDED_MS = 1_500
"""After a step, how long until what waits is found again: the views must know of it."""


def waits(requests):
    """How long after the one before each request came, whatever the clock said meanwhile."""
    times = [request.monotonic_ms for request in requests]
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.mark.parametrize("seed", range(6))
async def test_the_whole_schedule_keeps_its_waits(turned, seed):
    """Whenever and however far the clock is set, no retry is early, and none is late but by a moment."""
    random = Random(seed)
    await turned.webhook("down")
    turned.reply = lambda request: BAD
    delivery = await turned.event("first")
    steps = 0
    while len(turned.to("down")) <= len(SCHEDULE_S):
        wait_ms = random.choice([500, 4_000, 40_000, 20 * 60_000, 3 * HOUR_MS])
        await turned.wait(wait_ms / 1_000)
        if random.random() < 0.4:
            by_ms = random.choice(STEPS_MS)
            if by_ms > 0 and random.random() < 0.5:
                # It is noticed by whoever is woken by it.
                turned.clock.set(by_ms)
            else:
                await turned.set_clock(by_ms)
            steps += 1
    assert steps > 3
    for wait_ms, planned_s in zip(waits(turned.to("down")), SCHEDULE_S, strict=True):
        assert planned_s * 1_000 <= wait_ms <= planned_s * 1_000 + FOLDED_MS
    assert [type(event) for event in turned.story(delivery)] == [AttemptFailed] * 8
    assert 0 < turned.service.office.clock_steps.count <= steps


@pytest.mark.parametrize("by_ms", STEPS_MS)
async def test_a_hold_keeps_its_length(turned, by_ms):
    """What a receiver asked for by Retry-After is neither cut short nor drawn out, for all of its webhook."""
    await turned.webhook("busy")
    turned.reply = lambda request: answered(429, Retry_After="600")
    await turned.event("first")
    await turned.still()
    turned.reply = lambda request: GOOD
    await turned.event("second")
    await turned.wait(10)
    await turned.set_clock(by_ms)
    await turned.event("third")
    await turned.wait(1_000)
    first, *others = turned.requests
    assert {request.title for request in others} == {"first", "second", "third"}
    for request in others:
        assert 600_000 <= request.monotonic_ms - first.monotonic_ms <= 600_000 + FOLDED_MS


async def test_first_attempts_never_wait_for_the_clock(turned):
    """A backlog that was accepted while the clock was ahead goes out at once when it has been set right."""
    number = await turned.webhook("slow")
    await turned.stop()
    append_backlog(turned.data, [number], 500, turned.clock.now_ms())
    turned.reply = lambda request: None
    await turned.begin()
    await turned.set_clock(-DAY_MS)
    turned.reply = lambda request: GOOD
    for request in turned.requests:
        request.answer(GOOD)
    await turned.wait(5)
    assert len(turned.to("slow")) == 500
    assert turned.requests[-1].monotonic_ms < 10_000


@pytest.mark.parametrize("stopped_s", [0, 3_600])
async def test_a_step_back_while_nobody_looked_is_noticed_at_the_start(turned, stopped_s):
    """Set back while the service was down: its retries wait no longer than they would have from the start on."""
    await turned.webhook("down")
    turned.reply = lambda request: BAD
    await turned.event("first")
    await turned.wait(10)
    await turned.stop()
    turned.clock.turn_to(turned.clock.now_ms() + stopped_s * 1_000)
    turned.clock.set(-5 * HOUR_MS - stopped_s * 1_000)
    began_ms = turned.clock.monotonic_ms()
    await turned.begin()
    await turned.wait(SCHEDULE_S[1] + 2)
    assert [request.attempt for request in turned.to("down")] == [1, 2, 3]
    assert turned.to("down")[-1].monotonic_ms <= began_ms + SCHEDULE_S[1] * 1_000 + FOLDED_MS
    (step,) = [recorded.event for recorded in turned.recorded() if isinstance(recorded.event, Stepped)]
    assert (step.at, step.by <= -4 * HOUR_MS) == (turned.service.office.clock.now_ms() - 62_000, True)
    await turned.stop()
    await turned.begin()
    assert turned.service.office.clock_steps.count == 0


async def test_a_step_that_the_ledger_does_not_take_yet_is_recorded_later(turned, monkeypatch):
    """Until the outbox knows of the step nothing is handed out, then all of it, each in its time."""
    await turned.webhook("down")
    turned.reply = lambda request: BAD
    await turned.event("first")
    await turned.wait(1)
    with monkeypatch.context() as broken:
        broken.setattr(SqliteAppender, "append", fails)
        broken.setattr(SqliteAppender, "probe", fails)
        await turned.set_clock(DAY_MS)
        await turned.wait(60)
        assert len(turned.requests) == 1
    await turned.wait(5)
    (retry,) = turned.requests[1:]
    assert retry.attempt == 2
    assert turned.service.office.clock_steps.is_under_way is False


@pytest.mark.parametrize("by_ms", STEPS_MS)
async def test_durations_are_not_those_of_the_clock(turned, by_ms):
    """How long a request took is recorded as it was, and a step does not make a quick receiver slow."""
    await turned.webhook("steady")
    turned.reply = lambda request: None
    delivery = await turned.event("first")
    await turned.wait(0.2)
    turned.clock.set(by_ms)
    await turned.wait(0.3)
    dispatch = turned.service.carrier.dispatch
    assert (dispatch.young, dispatch.old) == (1, 0)
    turned.requests[0].answer(GOOD)
    await turned.wait(1)
    (delivered,) = turned.story(delivery)
    assert isinstance(delivered, Delivered)
    assert delivered.attempt.took == 500
    assert delivered.attempt.started == turned.requests[0].at_ms
    assert abs(delivered.at - (turned.requests[0].at_ms + 500 + by_ms)) <= 1


@pytest.mark.parametrize("by_ms", STEPS_MS)
async def test_only_who_is_slow_is_slow(turned, by_ms):
    """Of two requests under way, the one that is a second old counts as slow, and not the one beside it."""
    await turned.webhook("steady")
    turned.reply = lambda request: None
    await turned.event("first")
    await turned.wait(0.9)
    await turned.event("second")
    await turned.still()
    turned.clock.set(by_ms)
    await turned.wait(0.15)
    dispatch = turned.service.carrier.dispatch
    assert (dispatch.old, dispatch.young) == (1, 1)
    for request in turned.requests:
        request.answer(GOOD)
    await turned.wait(1)


async def test_a_request_is_signed_with_the_time_that_the_clock_says(turned):
    """Receivers compare it with their own clock: once ours is set right, so is the time of the next request."""
    await turned.webhook("strict")
    turned.reply = lambda request: Unreached("refused")
    delivery = await turned.event("first")
    await turned.wait(1)
    await turned.set_clock(-DAY_MS)
    await turned.wait(10)
    first, second = [event.attempt.started for event in turned.story(delivery)]
    assert second - first == waits(turned.requests)[0] - DAY_MS


@pytest.mark.parametrize("by_ms", STEPS_MS)
async def test_a_step_does_not_make_a_webhook_fail_for_days(turned, by_ms):
    """Three days of failure are three days that passed, also when the clock is set while a request is under way."""
    turned.service.carrier.workers._schedule_s = (5,)
    number = await turned.webhook("down")
    turned.reply = lambda request: BAD if request.attempt == 1 else None
    await turned.event("first")
    await turned.wait(10)
    await turned.set_clock(by_ms)
    turned.requests[-1].answer(BAD)
    await turned.wait(60)
    assert [request.attempt for request in turned.requests] == [1, 2]
    assert turned.service.office.directory.by_number[number].enabled


async def test_rows_made_anew_are_the_same(turned):
    """A step is recorded, so that views that are thrown away know of it too."""
    await turned.webhook("down", "file.updated")
    await turned.webhook("busy", "file.created")
    turned.reply = lambda request: BAD if request.url.endswith("down") else answered(503, Retry_After="5000")
    for number, by_ms in enumerate(STEPS_MS):
        await turned.event(f"updated {number}")
        await turned.event(f"created {number}", "file.created")
        await turned.wait(3)
        await turned.set_clock(by_ms)
    await turned.stop()
    report = _rebuild(turned.data)
    assert report.equal, report.views
    await turned.begin()


async def test_commit_times_never_go_back(turned):
    """ "As of a time" has one answer, however often the clock was set."""
    await turned.webhook("w")
    for number, by_ms in enumerate((-DAY_MS, 10_000, -HOUR_MS)):
        await turned.event(f"{number}")
        await turned.set_clock(by_ms)
    commits = turned.service.office.recorder.rows("SELECT at FROM commits ORDER BY last")
    assert commits == sorted(commits)
    streams = [recorded.stream for recorded in turned.recorded()]
    assert len({*zip(streams, (one.version for one in turned.recorded()), strict=True)}) == len(streams)
    (again,) = await turned.accept("0")
    assert again.is_duplicate


async def test_a_clock_that_is_kept_right_is_not_set(turned):
    """What a time server corrects little by little is nobody's step, however much it comes to."""
    await turned.webhook("down")
    turned.reply = lambda request: BAD
    await turned.event("first")
    for _ in range(20):
        turned.clock.set(-CLOCK_STEP_MS // 4)
        turned.service.office.clock.now_ms()
        turned.clock.set(CLOCK_STEP_MS - 1)
        turned.service.office.clock.now_ms()
    assert turned.service.office.clock_steps.count == 0
