"""What happened disables a webhook, once and for the right reason, whatever stands in the way."""

from __future__ import annotations

import pytest

from core.ledger.append import SqliteAppender
from core.ledger.unit import Entry, Unit
from core.model.delivery import AttemptFailed
from core.model.webhook import Changed, Disabled
from delivery.schedule import SCHEDULE_S
from tests.delivery.outbox.turned import BAD, GOOD, Turned, answered, fails

DAY_S = 24 * 3600
GONE = answered(410)


def is_enabled(turned: Turned, number: int) -> bool:
    return turned.service.office.directory.by_number[number].enabled


def disabled(turned: Turned) -> list[Disabled]:
    return [recorded.event for recorded in turned.recorded() if isinstance(recorded.event, Disabled)]


def outcomes(turned: Turned) -> list[int]:
    return [recorded.position for recorded in turned.recorded() if isinstance(recorded.event, AttemptFailed)]


@pytest.mark.parametrize("are_views_written", [True, False])
async def test_a_reaction_that_was_decided_is_done_after_a_kill(turned, are_views_written):
    """The process dies between the answer 410 and the disabling: the next one disables."""
    number = await turned.webhook("gone")
    turned.reply = lambda request: None
    await turned.event("first")
    await turned.still()
    turned.requests[0].answer(GONE)
    while not outcomes(turned):
        await turned.once()
    turned.jobs["ledger"].is_stopped = True
    await turned.wait(1 if are_views_written else 0)
    assert disabled(turned) == []
    await turned.kill()
    await turned.begin()
    await turned.still()
    assert [(event.reason, event.cause) for event in disabled(turned)] == [("gone", outcomes(turned)[0])]
    assert not is_enabled(turned, number)
    assert len(turned.requests) == 1


async def test_a_reaction_waits_for_the_ledger(turned, monkeypatch):
    """A ledger that cannot write puts the disabling off."""
    number = await turned.webhook("gone")
    turned.reply = lambda request: None
    await turned.event("first")
    await turned.still()
    turned.requests[0].answer(GONE)
    while not outcomes(turned):
        await turned.once()
    with monkeypatch.context() as broken:
        broken.setattr(SqliteAppender, "append", fails)
        await turned.wait(10)
        assert is_enabled(turned, number)
    await turned.wait(1)
    assert not is_enabled(turned, number)


async def test_a_reaction_is_not_lost_to_another_change(turned):
    """Somebody changes the webhook in the very moment in which it is to be disabled: it is disabled all the same."""
    number = await turned.webhook("gone")
    known = turned.service.office.directory.by_number[number]
    turned.reply = lambda request: None
    await turned.event("first")
    await turned.still()
    turned.jobs["ledger"].is_stopped = True
    turned.requests[0].answer(GONE)
    await turned.still()
    changed = Changed("1", turned.clock.now_ms(), "p", {"name": ("gone", "gone?")})
    turned.start(turned.service.office.writer.append([Unit([Entry(known.id, known.version + 1, changed)])]))
    turned.jobs.free()
    await turned.wait(1)
    known = turned.service.office.directory.by_number[number]
    assert (known.name, known.enabled, known.disabled_reason) == ("gone?", False, "gone")


async def test_a_reaction_to_what_was_before_the_last_enabling_is_refused(turned):
    """A webhook that somebody enabled after the answer 410 stays enabled, and nobody asks again."""
    number = await turned.webhook("gone")
    turned.reply = lambda request: None
    await turned.event("first")
    await turned.still()
    await turned.switch(number, enabled=False)
    turned.requests[0].answer(GONE)
    await turned.still()
    turned.reply = lambda request: GOOD
    await turned.switch(number, enabled=True)
    await turned.wait(1)
    assert is_enabled(turned, number)
    assert turned.service.office.views.rows("SELECT * FROM reactions_1") == []
    await turned.kill()
    await turned.begin()
    await turned.wait(1)
    assert is_enabled(turned, number)
    assert [event.reason for event in disabled(turned)] == ["person"]


async def failing_for(turned: Turned, days: int) -> None:
    """Events that fail to the end of their schedule, one each day."""
    for _ in range(days):
        await turned.event(f"at {turned.clock.now_ms()}")
        await turned.wait(DAY_S)


async def test_failing_for_three_days_is_remembered_over_a_restart(turned):
    """A webhook that has failed since before a restart and a kill is disabled when its three days are over."""
    number = await turned.webhook("down")
    turned.reply = lambda request: BAD
    await failing_for(turned, 2)
    await turned.stop()
    await turned.begin()
    await failing_for(turned, 1)
    assert is_enabled(turned, number)
    await turned.kill()
    await turned.begin()
    await failing_for(turned, 1)
    assert not is_enabled(turned, number)
    assert [event.reason for event in disabled(turned)] == ["failing"]


@pytest.mark.parametrize("ends_with", ["success", "enabling"])
async def test_the_three_days_begin_again(turned, ends_with):
    """A success, or somebody who enables it, ends the time for which a webhook has been failing."""
    number = await turned.webhook("down")
    turned.reply = lambda request: BAD
    await failing_for(turned, 3)
    if ends_with == "success":
        turned.reply = lambda request: GOOD
        await turned.event("good")
        await turned.wait(1)
        turned.reply = lambda request: BAD
    else:
        await turned.switch(number, enabled=False)
        await turned.switch(number, enabled=True)
    await failing_for(turned, 3)
    assert is_enabled(turned, number)
    await failing_for(turned, 1)
    assert not is_enabled(turned, number)
    assert sum(SCHEDULE_S) < DAY_S
