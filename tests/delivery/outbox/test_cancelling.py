"""A webhook that is disabled or deleted: what waits for it is cancelled, and nothing else."""

from __future__ import annotations

from core.ledger.unit import Entry, Unit
from core.ledger.views import Views
from core.limits import CANCEL_CHUNK
from core.model.delivery import AttemptFailed, Cancelled, Delivered, LateAttempt
from core.model.webhook import Disabled
from tests.delivery.outbox.backlog import append_backlog
from tests.delivery.outbox.turned import BAD, GOOD, Turned, answered, fails

PENDING = 3 * CANCEL_CHUNK


async def pending(turned: Turned) -> int:
    """A webhook for which many deliveries wait, none of them under way: the receiver has asked for an hour."""
    number = await turned.webhook("waiting")
    await turned.stop()
    append_backlog(turned.data, [number], PENDING, turned.clock.now_ms())
    turned.clock.turn_to(turned.clock.now_ms() + 1_000)
    turned.reply = lambda request: None
    await turned.begin()
    await turned.wait(0.5)
    return number


def ends(turned: Turned) -> list[Cancelled]:
    return [recorded.event for recorded in turned.recorded() if isinstance(recorded.event, Cancelled)]


async def test_what_waits_for_a_disabled_webhook_is_cancelled_in_chunks(turned):
    """Everything is cancelled but what is under way, and that is recorded as what it became."""
    number = await pending(turned)
    await turned.switch(number, enabled=False)
    await turned.still()
    assert {event.reason for event in ends(turned)} == {"disabled"}
    assert len(ends(turned)) == PENDING - len(turned.requests)
    for request in turned.requests:
        request.answer(GOOD)
    await turned.run_out()
    assert all(isinstance(turned.story(request.number)[-1], Delivered) for request in turned.requests)
    assert turned.service.office.views.rows("SELECT * FROM outbox_1") == []


async def test_what_waits_for_a_deleted_webhook_is_cancelled(turned):
    """A deleted webhook's deliveries end as those of a disabled one, with their own reason."""
    number = await pending(turned)
    await turned.finish(turned.service.office.webhooks.delete(number, by="p"))
    await turned.still()
    assert {event.reason for event in ends(turned)} == {"deleted"}
    assert len(ends(turned)) == PENDING - len(turned.requests)


async def test_what_is_left_when_it_is_enabled_again_is_delivered(turned):
    """Once a webhook is enabled again, nothing more is cancelled, not even what was about to be."""
    number = await pending(turned)
    turned.jobs["views"].is_stopped = True
    await turned.switch(number, enabled=False)
    turned.jobs.free()
    while not ends(turned):
        await turned.once()
    # The next chunk is decided on while the commit of the switch is under way.
    turned.jobs["ledger"].is_stopped = True
    enabling = turned.start(turned.service.office.webhooks.switch(number, enabled=True, by="p"))
    await turned.still()
    turned.reply = lambda request: GOOD
    turned.jobs.free()
    await turned.still()
    assert enabling.done()
    enabled_position = turned.service.office.directory.by_number[number].enabled_position
    for request in turned.requests:
        request.answer(GOOD)
    await turned.run_out()
    cancelled = [r.position for r in turned.recorded() if isinstance(r.event, Cancelled)]
    assert len(cancelled) == CANCEL_CHUNK
    assert max(cancelled) < enabled_position
    assert len({request.number for request in turned.requests}) == PENDING - CANCEL_CHUNK


async def test_an_attempt_that_fails_after_the_disabling_is_the_last(turned):
    """A request that was under way fails: its delivery is cancelled then, not when its retry would be due."""
    number = await turned.webhook("disabled")
    turned.reply = lambda request: None
    delivery = await turned.event("first")
    await turned.still()
    await turned.switch(number, enabled=False)
    await turned.still()
    assert turned.story(delivery) == []
    turned.requests[0].answer(BAD)
    await turned.wait(0.5)
    assert [type(event) for event in turned.story(delivery)] == [AttemptFailed, Cancelled]


async def test_an_outcome_after_the_end_is_a_late_attempt(turned):
    """Somebody else cancelled a delivery with its request under way: the request is recorded, and takes its place in
    the window until it ends."""
    number = await turned.webhook("late")
    turned.reply = lambda request: None
    delivery = await turned.event("first")
    await turned.still()
    stream = turned.service.office.reader.at([delivery])[delivery].stream
    event = Cancelled("1", turned.clock.now_ms(), number, delivery, "disabled")
    await turned.finish(turned.service.office.writer.append([Unit([Entry(stream, 2, event)])]))
    dispatch = turned.service.carrier.dispatch
    assert (dispatch.young, dispatch.lanes[number].window.under_way) == (1, 1)
    turned.requests[0].answer(GOOD)
    await turned.wait(1)
    assert [type(event) for event in turned.story(delivery)] == [Cancelled, LateAttempt]
    assert (dispatch.young, dispatch.lanes[number].window.under_way) == (0, 0)
    assert (dispatch.unrecorded, dispatch.lanes[number].marked) == (0, 0)


async def test_cancelling_goes_on_when_the_views_can_be_read_again(turned, monkeypatch):
    """A reading that fails puts cancelling off, and does not end it."""
    number = await pending(turned)
    with monkeypatch.context() as broken:
        broken.setattr(Views, "rows", fails)
        await turned.switch(number, enabled=False)
        await turned.wait(3)
        assert ends(turned) == []
    await turned.wait(3)
    assert len(ends(turned)) == PENDING - len(turned.requests)


async def test_a_long_cancelling_does_not_hold_up_other_reactions(turned):
    """While thousands of deliveries of one webhook are cancelled, a 410 disables another at once."""
    number = await pending(turned)
    gone = await turned.webhook("gone", "file.moved")
    await turned.accept("any", type="file.moved")
    await turned.still()
    await turned.switch(number, enabled=False)
    while not ends(turned):
        await turned.once()
    turned.to("gone")[0].answer(answered(410))
    await turned.still()
    recorded = turned.recorded()
    (disabled,) = [r.position for r in recorded if isinstance(r.event, Disabled) and r.event.reason == "gone"]
    after = [r for r in recorded if isinstance(r.event, Cancelled) and r.position > disabled]
    assert not turned.service.office.directory.by_number[gone].enabled
    assert len(after) > CANCEL_CHUNK // 2
