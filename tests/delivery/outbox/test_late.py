"""A late attempt on a delivery that has not ended moves nothing but the version its next outcome counts on."""

from __future__ import annotations

from core.ledger.unit import Entry, Unit
from core.model.delivery import AttemptFailed, Delivered, LateAttempt
from delivery.sender import Answered
from tests.delivery.outbox.stage import OK, Stage
from tests.delivery.outbox.turned import BAD, GOOD, Turned


async def test_a_late_attempt_stands_in_nobodys_way(stage: Stage) -> None:
    """The next attempt comes at its time and its outcome is recorded, whether the row is in memory or on disk."""
    await stage.webhook("late", "file.created")
    stage.sender.answer = lambda _url, _body: Answered(500, (), b"", False)
    early = await stage.event("early", "file.created")
    await stage.quiet()
    await _late(stage, early.position + 1)
    await stage.wait(2)
    await _late(stage, early.position + 1)
    stage.sender.answer = lambda _url, _body: OK
    await stage.wait(6)
    assert [type(event) for event in stage.story(early.position + 1)[1:]] == [
        AttemptFailed,
        LateAttempt,
        LateAttempt,
        Delivered,
    ]


async def _late(stage: Stage, number: int) -> None:
    """As a second worker would record it, who held the same row."""
    office = stage.service.office
    created = office.reader.at([number])[number]
    stream = office.reader.stream(created.stream)
    attempt = stage.attempts(number)[0]
    event = LateAttempt("1", stage.clock.now_ms(), created.event.webhook, number, attempt)
    (answer,) = await office.writer.append([Unit([Entry(created.stream, len(stream) + 1, event)])])
    assert type(answer) is int


async def test_an_outcome_that_a_late_attempt_got_ahead_of_is_recorded_as_itself(turned: Turned) -> None:
    """Its attempt's number is free and the delivery has not ended: the outcome counts, and the delivery goes on."""
    number = await turned.webhook("late")
    turned.reply = lambda _request: None
    delivery = await turned.event("first")
    await turned.still()
    turned.requests[0].answer(BAD)
    await turned.wait(6)
    office = turned.service.office
    stream = office.reader.at([delivery])[delivery].stream
    turned.jobs["ledger"].is_stopped = True
    event = LateAttempt("1", turned.clock.now_ms(), number, delivery, turned.story(delivery)[0].attempt)
    turned.start(office.writer.append([Unit([Entry(stream, 3, event)])]))
    turned.requests[1].answer(BAD)
    await turned.still()
    turned.jobs.free()
    turned.reply = lambda _request: GOOD
    await turned.wait(120)
    assert [type(event) for event in turned.story(delivery)] == [AttemptFailed, LateAttempt, AttemptFailed, Delivered]
    assert [request.attempt for request in turned.requests] == [1, 2, 3]
    dispatch = turned.service.carrier.dispatch
    assert (turned.service.carrier.outbox.rows, dispatch.unrecorded, dispatch.lanes[number].marked) == ({}, 0, 0)
