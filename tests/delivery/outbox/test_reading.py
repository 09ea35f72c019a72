"""Rows are read from disk while the rest moves on: what was read is never older than what is known."""

from __future__ import annotations

from core.ledger.read import Reader
from core.ledger.views import Views
from tests.delivery.outbox.backlog import append_backlog
from tests.delivery.outbox.jobs import let_run
from tests.delivery.outbox.turned import BAD, GOOD, answered, fails


async def test_what_ended_while_it_was_read_is_not_attempted_again(turned):
    """A row that was read just before it was deleted from disk is passed over."""
    await turned.webhook("crossing")
    turned.reply = lambda request: BAD if request.attempt == 1 else None
    first = await turned.event("first")
    await turned.wait(0.5)
    second = await turned.event("second")
    await turned.wait(4.6)
    (request,) = [request for request in turned.requests if request.attempt == 2]
    turned.jobs["reader"].mute = {"stock"}
    # The second one's row is due, and the reading finds the first one's row as well.
    await turned.wait(0.4)
    assert turned.service.carrier.refill._task is not None
    request.answer(GOOD)
    await turned.wait(0.4)
    assert turned.service.office.views.rows("SELECT number FROM outbox_1") == [(second,)]
    turned.reply = lambda request: GOOD
    turned.jobs.free()
    await turned.wait(10)
    assert [(request.number, request.attempt) for request in turned.requests] == [
        (first, 1), (second, 1), (first, 2), (second, 2)
    ]  # fmt: skip


async def test_what_moved_on_while_it_was_read_waits_for_its_time(turned):
    """A row that was read just before its next attempt was written keeps that attempt's number and time."""
    await turned.webhook("crossing")
    turned.reply = lambda request: BAD if request.attempt == 1 else None
    first = await turned.event("first")
    await turned.wait(0.5)
    await turned.event("second")
    await turned.wait(4.6)
    (request,) = [request for request in turned.requests if request.attempt == 2]
    turned.jobs["reader"].mute = {"stock"}
    await turned.wait(0.4)
    request.answer(BAD)
    await turned.wait(0.4)
    turned.reply = lambda request: GOOD
    turned.jobs.free()
    due = turned.due(first)
    await turned.wait(120)
    assert [(r.attempt, r.at_ms) for r in turned.requests if r.number == first][2:] == [(3, due)]


async def test_what_went_back_to_disk_while_rows_were_read_is_read_again(turned, monkeypatch):
    """Rows set aside before the place where a reading goes on are found by the next one, without waiting for a wake."""
    monkeypatch.setattr("delivery.refill.ROWS_MAX", 2)
    number = await turned.webhook("crossing")
    await turned.stop()
    append_backlog(turned.data, [number], 3, turned.clock.now_ms())
    turned.clock.turn_to(turned.clock.now_ms() + 1_000)
    turned.reply = lambda request: None
    turned.revive()
    turned.service.carrier.dispatch._young_max = 1
    await turned.finish(turned.service.start())
    turned.jobs["reader"].mute = {"stock"}
    await turned.wait(0.3)
    # Two are being read: as soon as they are, one is under way, one is ready, and the third is being read.
    turned.jobs.free()
    while not turned.service.carrier.dispatch.young:
        turned.jobs.turn()
        await let_run()
    turned.jobs["reader"].mute = {"stock", "numbers_of"}
    await turned.still()
    lane = turned.service.carrier.dispatch.lanes[number]
    assert (lane.marked, len(lane.ready), lane.refilling) == (1, 1, True)
    await turned.switch(number, enabled=False)
    turned.requests[0].answer(GOOD)
    await turned.still()
    assert len(lane.ready) == 0
    turned.reply = lambda request: GOOD
    await turned.switch(number, enabled=True)
    turned.jobs.free()
    await turned.wait(2)
    assert len(turned.requests) == 3


async def test_a_retry_is_known_after_a_restart_that_had_to_catch_up(turned):
    """A webhook whose retry is on disk is woken for it also if the ledger held more of that webhook than the views."""
    await turned.webhook("retried")
    turned.reply = lambda request: BAD
    first = await turned.event("first")
    await turned.wait(1)
    turned.reply = lambda request: GOOD
    await turned.event("second")
    await turned.still()
    await turned.kill()
    await turned.begin()
    await turned.wait(60)
    assert [r.at_ms for r in turned.requests if r.number == first][1:] == [turned.story(first)[0].next]


async def test_reading_goes_on_when_the_views_can_be_read_again(turned, monkeypatch):
    """A reading that fails is made again a second later, and what was due meanwhile goes out."""
    await turned.webhook("retried")
    turned.reply = lambda request: BAD if request.attempt == 1 else GOOD
    first = await turned.event("first")
    await turned.wait(4)
    due = turned.due(first)
    with monkeypatch.context() as broken:
        broken.setattr(Views, "rows", fails)
        await turned.turn_to(due + 2_500)
        assert len(turned.requests) == 1
    await turned.wait(1)
    assert [request.attempt for request in turned.requests] == [1, 2]


async def test_nobody_is_asked_while_a_secret_is_read(turned):
    """A webhook that was disabled while its secret was read hears nothing any more."""
    number = await turned.webhook("disabled")
    turned.jobs["reader"].mute = {"secret"}
    delivery = await turned.event("first")
    await turned.still()
    await turned.switch(number, enabled=False)
    turned.jobs.free()
    await turned.wait(1)
    assert turned.requests == []
    assert [type(event).__name__ for event in turned.story(delivery)] == ["Cancelled"]


async def test_a_secret_that_cannot_be_read_is_read_again(turned, monkeypatch):
    """A disk that fails to give a secret costs time, and neither an attempt nor the place of its request."""
    number = await turned.webhook("patient")
    with monkeypatch.context() as broken:
        broken.setattr(Reader, "secret", fails)
        delivery = await turned.event("first")
        await turned.wait(3.5)
        assert (turned.requests, turned.story(delivery)) == ([], [])
    await turned.wait(1)
    assert [request.attempt for request in turned.requests] == [1]
    assert turned.service.carrier.dispatch.lanes[number].window.under_way == 0


async def test_a_hold_holds_what_was_handed_out_and_not_sent(turned):
    """Of rows handed out together, those not yet sent when the receiver asks for time wait until it is over."""
    await turned.webhook("busy")
    turned.reply = lambda request: answered(503, Retry_After="30")
    await turned.accept("first", "second", "third")
    await turned.still()
    assert len(turned.requests) == 1
    turned.reply = lambda request: GOOD
    begun = turned.requests[0].at_ms
    await turned.wait(60)
    assert [request.at_ms - begun for request in turned.requests[1:]] == [30_000] * 3


async def test_rows_that_cannot_be_read_hold_up_nobody_else(turned):
    """One webhook's event is damaged on disk: the others' deliveries go out, readiness says why it is not well, and
    when the event can be read again, so do its own."""
    numbers = [await turned.webhook("broken", "file.created"), await turned.webhook("fine", "file.updated")]
    await turned.stop()
    append_backlog(turned.data, numbers, 300, turned.clock.now_ms())
    turned.reply = lambda request: None
    await turned.begin()
    await turned.wait(1)
    await turned.stop()
    turned.reply = lambda request: GOOD
    turned.requests.clear()
    turned.revive()
    ledger = turned.service.office.recorder.writing
    damaged, state = ledger.execute("SELECT position, state FROM events WHERE topic LIKE 'PortalEvent%'").fetchone()
    ledger.execute("UPDATE events SET state=x'c1' WHERE position=?", (damaged,))
    await turned.finish(turned.service.start())
    await turned.wait(10)
    assert (len(turned.to("fine")), len(turned.to("broken"))) == (300, 0)
    (reason,) = turned.service.readiness()
    assert reason.startswith("due deliveries cannot be read: LedgerError: ")
    ledger.execute("UPDATE events SET state=? WHERE position=?", (state, damaged))
    await turned.wait(3)
    assert len(turned.to("broken")) == 300
    assert turned.service.readiness() == []
