"""A late attempt on a delivery that has not ended moves nothing but the version its next outcome counts on."""

from __future__ import annotations

from core.ledger.unit import Entry, Unit
from core.model.delivery import AttemptFailed, Delivered, LateAttempt
from delivery.sender import Answered
from tests.delivery.outbox.stage import OK, Stage


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
