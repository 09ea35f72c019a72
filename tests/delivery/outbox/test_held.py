"""What an earlier leader has marked is left alone until its mark is over, and handed out then if nothing came of it.

The leader before is a life that was killed while its requests hang; what it records later, another writes for it.
"""

from __future__ import annotations

import logging

import pytest

from core.ledger.postgres.leader import Mark
from core.ledger.unit import Entry, Unit
from core.model.delivery import AttemptFailed, Cancelled, Delivered
from tests.delivery.outbox.turned import BAD, GOOD, Turned
from tests.wire.facts import attempt

TERM = 7


async def begin(turned: Turned, *marks: Mark, takes_s: float = 0, is_anew: bool = False) -> None:
    """Another life, which finds these marks, and needs so long until it hands out. *is_anew*: it finds no views."""
    await turned.still()
    await turned.kill()
    for file in turned.data.glob("views.sqlite*") if is_anew else ():
        file.unlink()
    turned.revive()
    turned.reply = lambda _request: GOOD
    turned.service.carrier.held.hold(marks)
    turned.clock.turn_to(turned.clock.now_ms() + round(takes_s * 1_000))
    await turned.finish(turned.service.start())


async def record(turned: Turned, number: int, kind: type, *, count: int = 1, **said) -> None:
    """The leader before says what came of its attempt."""
    office = turned.service.office
    created = office.reader.at([number])[number]
    version = len(office.reader.stream(created.stream)) + 1
    made = attempt(number=count, started=turned.clock.now_ms())
    event = kind("1", turned.clock.now_ms(), created.event.webhook, number, made, **said)
    (answer,) = await turned.finish(office.writer.append([Unit([Entry(created.stream, version, event)])]))
    assert type(answer) is int


def posted(turned: Turned) -> list[tuple[int, int]]:
    """What was asked of receivers in this life: (delivery, attempt)."""
    return [(request.number, request.attempt) for request in turned.requests if request.life == turned.life]


@pytest.fixture(name="hanging")
async def _hanging(turned: Turned):
    """Of three deliveries, all under way, whose receivers do not answer: their numbers."""
    await turned.webhook("any")
    turned.reply = lambda _request: None
    numbers = [await turned.event(title) for title in ("a", "b", "c")]
    await turned.wait(1)
    return numbers


async def test_what_is_marked_is_handed_out_once_its_mark_is_over(turned: Turned, hanging: list[int]) -> None:
    """Not a moment before, and nothing else waits for it, not even of its webhook."""
    first, second, third = hanging
    await begin(turned, Mark(TERM, {first: 1}, 9.5), Mark(TERM, {second: 1}, 20))
    await turned.still()
    assert posted(turned) == [(third, 1)]
    await turned.wait(9.499)
    assert posted(turned) == [(third, 1)]
    await turned.wait(0.001)
    assert posted(turned) == [(third, 1), (first, 1)]
    await turned.wait(10.5)
    assert posted(turned) == [(third, 1), (first, 1), (second, 1)]
    assert [type(event) for event in turned.story(second)] == [Delivered]


async def test_rows_that_no_view_has_are_held_too(turned: Turned) -> None:
    """The leader before died before it had written them."""
    await turned.webhook("any")
    await turned.wait(10)
    turned.jobs["views"].is_stopped = True
    turned.reply = lambda _request: None
    number = await turned.event("a")
    await begin(turned, Mark(TERM, {number: 1}, 5))
    await turned.wait(4.9)
    assert posted(turned) == []
    await turned.wait(0.2)
    assert posted(turned) == [(number, 1)]


async def test_what_came_to_its_end_is_not_handed_out(turned: Turned, hanging: list[int]) -> None:
    """Whoever made the attempt has recorded it meanwhile, or its last one, and no receiver is asked again."""
    first, second, third = hanging
    await begin(turned, Mark(TERM, {first: 1, second: 1, third: 1}, 30))
    await record(turned, first, Delivered)
    await record(turned, second, AttemptFailed, next=None)
    await turned.wait(120)
    assert posted(turned) == [(third, 1)]
    assert [type(event) for event in turned.story(first)] == [Delivered]


async def test_a_later_attempt_is_not_held(turned: Turned, hanging: list[int]) -> None:
    """A mark is one attempt's: once that has failed, the next one comes at its time."""
    number = hanging[0]
    await begin(turned, Mark(TERM, dict.fromkeys(hanging, 1), 30))
    await turned.wait(2)
    await record(turned, number, AttemptFailed, next=turned.clock.now_ms() + 5_000)
    await turned.wait(4.9)
    assert posted(turned) == []
    await turned.wait(0.2)
    assert posted(turned) == [(number, 2)]


async def test_a_mark_of_a_later_attempt_outlives_the_failure_before_it(turned: Turned) -> None:
    """Where the view is made anew, by a newer version say, it hears of the first attempt again, which says nothing of
    the second."""
    await turned.webhook("any")
    turned.reply = lambda request: BAD if request.attempt == 1 else None
    number = await turned.event("a")
    await turned.wait(6)
    assert [request.attempt for request in turned.requests] == [1, 2]
    await begin(turned, Mark(TERM, {number: 2}, 25), is_anew=True)
    await turned.wait(24)
    assert posted(turned) == []
    await turned.wait(2)
    assert posted(turned) == [(number, 2)]


@pytest.mark.parametrize("is_turned", [True, False])
@pytest.mark.parametrize("before", [1, 2])
async def test_of_several_marks_the_last_counts(turned: Turned, before: int, is_turned: bool) -> None:
    """A delivery may stand in two marks, with the same attempt or the one before: as long as a mark has another row
    under way it stays. In whatever order they are found."""
    await turned.webhook("any")
    turned.reply = lambda request: BAD if request.attempt == 1 else None
    number = await turned.event("a")
    await turned.wait(6)
    marks = [Mark(TERM, {number: before}, 10), Mark(TERM, {number: 2}, 25)]
    await begin(turned, *(reversed(marks) if is_turned else marks))
    await turned.wait(24)
    assert posted(turned) == []
    await turned.wait(2)
    assert posted(turned) == [(number, 2)]


async def test_marks_that_are_over_before_anything_is_handed_out_hold_nothing(
    turned: Turned, hanging: list[int]
) -> None:
    """Who takes long to follow the ledger finds some marks over when it has come to its head."""
    first, second, third = hanging
    await begin(turned, Mark(TERM, {first: 1}, 0.5), Mark(TERM, {second: 1, third: 1}, 60), takes_s=3)
    await turned.still()
    assert posted(turned) == [(first, 1)]


async def test_what_is_held_is_not_cancelled(turned: Turned, hanging: list[int]) -> None:
    """Its request is under way, for all that is known; it is cancelled when its mark is over, unless it has ended."""
    first, second, third = hanging
    await begin(turned, Mark(TERM, {first: 1, second: 1}, 30), Mark(TERM, {third: 1}, 1_000))
    webhook = turned.service.office.reader.at([first])[first].event.webhook
    await turned.switch(webhook, enabled=False)
    await turned.wait(5)
    assert [turned.story(number) for number in hanging] == [[], [], []]
    await record(turned, first, Delivered)
    await turned.wait(30)
    kinds = [[type(event) for event in turned.story(number)] for number in hanging]
    assert kinds == [[Delivered], [Cancelled], []]
    assert posted(turned) == []


async def test_a_term_that_has_finished_holds_nothing(turned: Turned, hanging: list[int]) -> None:
    """Who led before in the same process says so itself, and nobody waits for the end of its marks; other terms'
    stay."""
    first, second, third = hanging
    await begin(turned, Mark(TERM, {first: 1, second: 1}, 30), Mark(TERM + 1, {third: 1}, 30))
    await record(turned, first, Delivered)
    turned.service.carrier.held.let_go_of(TERM)
    await turned.still()
    assert posted(turned) == [(second, 1)]


async def test_nothing_is_let_go_before_the_ledger_was_asked(turned: Turned, hanging: list[int]) -> None:
    """What was recorded at the last moment is followed first; while the ledger does not answer, what is held stays."""
    first, second, third = hanging
    await begin(turned, Mark(TERM, dict.fromkeys(hanging, 1), 30))
    turned.jobs["ledger"].is_stopped = True
    await turned.wait(40)
    assert posted(turned) == []
    turned.jobs.free()
    await turned.still()
    assert sorted(posted(turned)) == [(first, 1), (second, 1), (third, 1)]


async def test_many_marks_that_are_over_at_once_take_one_look_at_the_ledger(
    turned: Turned, hanging: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """A leader that was killed leaves hundreds: what is over while the ledger is asked for one comes next, together."""
    caplog.set_level(logging.INFO, "hookledger")
    first, second, third = hanging
    await begin(turned, *(Mark(TERM, {number: 1}, 9 + number / 1_000) for number in hanging))
    turned.jobs["ledger"].is_stopped = True
    await turned.wait(10)
    turned.jobs.free()
    await turned.still()
    assert sorted(posted(turned)) == [(first, 1), (second, 1), (third, 1)]
    assert [said.facts["deliveries"] for said in caplog.records if said.line == "outbox.let_go"] == [1, 2]
