"""An outcome is recorded once, whatever the ledger is doing; and what was asked for holds."""

from __future__ import annotations

from core.ledger.append import SqliteAppender
from core.model.delivery import AttemptFailed, Delivered
from tests.delivery.outbox.turned import BAD, GOOD, answered, fails


async def test_an_outcome_is_recorded_when_the_ledger_writes_again(turned, monkeypatch):
    """While the ledger cannot write, an outcome is kept; the request is not made again."""
    await turned.webhook("patient")
    turned.reply = lambda request: None
    delivery = await turned.event("first")
    await turned.still()
    with monkeypatch.context() as broken:
        broken.setattr(SqliteAppender, "append", fails)
        turned.requests[0].answer(GOOD)
        await turned.wait(60)
        assert (turned.story(delivery), turned.service.carrier.dispatch.unrecorded) == ([], 1)
    await turned.wait(1)
    assert [type(event) for event in turned.story(delivery)] == [Delivered]
    assert (len(turned.requests), turned.service.carrier.dispatch.unrecorded) == (1, 0)


async def test_an_outcome_that_could_not_be_recorded_at_the_end_is_attempted_again(turned, monkeypatch):
    """A service that stops while the ledger cannot write leaves nothing behind that rings later."""
    await turned.webhook("patient")
    turned.reply = lambda request: None
    delivery = await turned.event("first")
    await turned.still()
    with monkeypatch.context() as broken:
        broken.setattr(SqliteAppender, "append", fails)
        turned.requests[0].answer(GOOD)
        await turned.still()
        await turned.stop()
    turned.reply = lambda request: GOOD
    await turned.begin()
    await turned.wait(10)
    assert [type(event) for event in turned.story(delivery)] == [Delivered]
    assert [request.attempt for request in turned.requests] == [1, 1]
    assert turned.broken == []


async def test_nothing_is_handed_out_beyond_the_outcomes_that_wait(turned, monkeypatch):
    """When so many outcomes wait for the ledger that memory is at stake, no more requests are made."""
    monkeypatch.setattr("delivery.dispatch.UNRECORDED_MAX", 5)
    await turned.webhook("many")
    await turned.accept(*[str(n) for n in range(3)])
    await turned.still()
    turned.jobs["ledger"].mute = {"append"}
    accepting = turned.start(turned.accept_now(*[str(n) for n in range(3, 20)]))
    await turned.still()
    turned.jobs["ledger"].free()
    turned.jobs["ledger"].is_stopped = True
    await turned.still()
    made = len(turned.requests)
    assert turned.service.carrier.dispatch.unrecorded >= 5
    await turned.wait(20)
    assert len(turned.requests) == made < 20
    turned.jobs.free()
    await turned.wait(1)
    assert accepting.done()
    assert len(turned.requests) == 20


async def test_a_hold_survives_a_restart(turned):
    """What a receiver asked for and was recorded holds for the next service, after a stop as after a kill."""
    await turned.webhook("busy")
    turned.reply = lambda request: answered(429, Retry_After="100")
    await turned.event("first")
    begun = turned.clock.now_ms()
    await turned.wait(1)
    turned.reply = lambda request: GOOD
    await turned.stop()
    await turned.begin()
    await turned.event("second")
    await turned.wait(10)
    await turned.kill()
    await turned.begin()
    await turned.event("third")
    await turned.wait(200)
    assert [request.at_ms - begun for request in turned.requests] == [0, 100_000, 100_000, 100_000]


async def test_enabling_ends_a_hold(turned):
    """Who enables a webhook again has the receiver's word that it is ready."""
    number = await turned.webhook("busy")
    turned.reply = lambda request: answered(503, Retry_After="1000")
    delivery = await turned.event("first")
    await turned.still()
    await turned.switch(number, enabled=False)
    await turned.wait(1)
    await turned.switch(number, enabled=True)
    turned.reply = lambda request: GOOD
    await turned.event("second")
    await turned.still()
    assert [request.title for request in turned.requests] == ["first", "second"]
    assert turned.requests[1].at_ms == turned.clock.now_ms()
    assert isinstance(turned.story(delivery)[0], AttemptFailed)


async def test_the_view_holds_only_what_is_recorded(turned):
    """A hold whose answer was lost with the process is not on disk either."""
    await turned.webhook("busy")
    turned.reply = lambda request: None
    await turned.accept("first", "second")
    await turned.still()
    turned.requests[0].answer(GOOD)
    await turned.still()
    turned.jobs["ledger"].is_stopped = True
    turned.requests[1].answer(answered(503, Retry_After="1000"))
    await turned.wait(1)
    await turned.kill()
    turned.reply = lambda request: GOOD
    await turned.begin()
    await turned.wait(1)
    assert [request.title for request in turned.requests] == ["first", "second", "second"]


async def test_a_retry_is_due_though_the_views_were_being_written(turned):
    """What is gathered while a write takes its time is written after it, without waiting for more."""
    await turned.webhook("retried")
    turned.jobs["views"].is_stopped = True
    await turned.event("first")
    await turned.wait(0.3)
    turned.reply = lambda request: BAD if request.attempt == 1 else GOOD
    await turned.event("second")
    await turned.wait(1)
    turned.jobs.free()
    await turned.wait(6)
    assert [(request.title, request.attempt) for request in turned.requests] == [
        ("first", 1), ("second", 1), ("second", 2)
    ]  # fmt: skip
