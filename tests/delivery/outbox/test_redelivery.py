"""Redeliveries: what was sent long ago goes out again, as any delivery does, and is recorded with who asked for it."""

from __future__ import annotations

import json

from core.errors import OverloadedError
from core.model.delivery import AttemptFailed, Cancelled, Created, Delivered, Redelivery
from core.operations.redelivery import REDELIVER, Redeliver
from tests.builders import open_office
from tests.delivery.outbox.again import failed, redeliver
from tests.delivery.outbox.backlog import append_backlog
from tests.delivery.outbox.jobs import let_run
from tests.delivery.outbox.turned import BAD, GOOD, Turned, answered


def created(turned: Turned, number: int) -> Created:
    return turned.service.office.reader.at([number])[number].event


async def recorded_and_not_sent(turned, old: int):
    """A redelivery that is in the ledger, and of which the views have not heard: the task that asked for it."""
    await turned.still()
    turned.jobs["views"].is_stopped = True
    asking = turned.start(turned.service.office.redeliveries.make([old], by="p", ticket="1"))
    while not asking.done():
        turned.jobs.turn()
        await let_run()
    return asking


async def test_an_event_that_no_memory_holds_is_sent_again(turned):
    """After a restart the payload comes from disk: the same event under a new number, as a first attempt, at once."""
    webhook = await turned.webhook("mine")
    old = await turned.event("first")
    await turned.wait(7_200)
    await turned.stop()
    await turned.begin()
    assert turned.service.office.writer.tail.after(0) in ((), None)
    (made,) = await redeliver(turned, old)
    await turned.wait(1)
    first, again = turned.requests
    assert (made.of, made.webhook, made.why) == (old, webhook, None)
    assert (again.number, again.attempt, again.title) == (made.number, 1, "first")
    assert created(turned, made.number).cause == Redelivery(old, "operator")
    assert created(turned, made.number).event == created(turned, old).event
    assert [type(event) for event in turned.story(made.number)] == [Delivered]
    assert [type(event) for event in turned.story(old)] == [Delivered]
    assert first.number == old


async def test_only_the_number_of_the_event_is_new(turned, monkeypatch):
    """`event.id` is the redelivery's, `webhook-id` too; createOn, payload and the rest are what they were."""
    sent = []
    await turned.webhook("mine")
    post = turned.service.sender.post

    async def kept(target, lines, body):
        sent.append((lines, json.loads(body)))
        return await post(target, lines, body)

    monkeypatch.setattr(turned.service.sender, "post", kept)
    old = await turned.event("first")
    await turned.still()
    await turned.wait(60)
    (made,) = await redeliver(turned, old)
    await turned.wait(1)
    (_, before), (lines, after) = sent
    assert after == before | {"event": before["event"] | {"id": made.number}}
    stream = turned.service.office.reader.at([made.number])[made.number].stream
    assert f"webhook-id: {stream.hex()}".encode() in lines


async def test_a_redelivery_is_retried_as_any_delivery(turned):
    """It has the whole schedule, and ends by itself; what it is a redelivery of stays as it was."""
    await turned.webhook("mine")
    old = await turned.event("first")
    await turned.still()
    turned.reply = lambda request: BAD
    (made,) = await redeliver(turned, old)
    await turned.run_out()
    outcomes = turned.story(made.number)
    assert [event.attempt.number for event in outcomes] == list(range(1, 9))
    assert (type(outcomes[-1]), outcomes[-1].next) == (AttemptFailed, None)
    assert [type(event) for event in turned.story(old)] == [Delivered]


async def test_what_was_recorded_without_a_service_is_delivered_at_its_next_start(turned):
    """Nobody serves: the redelivery is recorded by itself, and the outbox finds it when it starts."""
    await turned.webhook("mine")
    old = await turned.event("first")
    await turned.still()
    await turned.stop()
    office = open_office(turned.data, clock=turned.clock, alarms=turned.clock)
    await turned.finish(office.start())
    answer = await turned.finish(REDELIVER.run(office, Redeliver(ids=(old,), ticket="1")))
    await turned.finish(office.close())
    await turned.begin()
    await turned.wait(1)
    assert [request.number for request in turned.requests] == [old, answer.told[0].number]


async def test_a_redelivery_that_was_recorded_and_not_sent_survives_a_kill(turned):
    """What was answered is in the ledger: the process dies before anything is sent, and the next one sends it."""
    await turned.webhook("mine")
    old = await turned.event("first")
    other = await turned.event("other")
    asking = await recorded_and_not_sent(turned, old)
    await turned.kill()
    assert [request.number for request in turned.requests] == [old, other]
    await turned.begin()
    await turned.wait(1)
    assert [request.number for request in turned.requests[2:]] == [asking.result()[0].number]


async def test_each_that_cannot_be_is_refused_with_its_reason(turned):
    """Unknown numbers, disabled and deleted webhooks, and payloads that were forgotten; the others are made."""
    fine, off, gone = [await turned.webhook(name, trigger) for name, trigger in
                       (("fine", "file.created"), ("off", "file.updated"), ("gone", "file.moved"))]  # fmt: skip
    numbers = [await turned.event(f"e {type}", type) for type in ("file.created", "file.updated", "file.moved")]
    forgotten = await turned.event("forgotten", "file.created")
    await turned.still()
    await turned.switch(off, enabled=False)
    await turned.finish(turned.service.office.webhooks.delete(gone, by="p"))
    turned.service.office.recorder.writing.execute("DELETE FROM bodies WHERE position=?", (forgotten - 1,))
    told = await redeliver(turned, *numbers, forgotten, fine, 999_999, 0, -5, 2**80)
    assert {one.of: one.why for one in told} == {
        numbers[0]: None,
        numbers[1]: f"webhook {off} is disabled: enable it first",
        numbers[2]: f"webhook {gone} was deleted",
        forgotten: "what was sent was forgotten",
        fine: f"there is no delivery {fine}",
        999_999: "there is no delivery 999999",
        0: "there is no delivery 0",
        2**62: f"there is no delivery {2**62}",
    }
    assert [one.number is not None for one in told] == [True] + [False] * 7
    trial = await redeliver(turned, *numbers, forgotten, is_trial=True)
    assert [one.why for one in trial] == [one.why for one in told[:4]]
    assert {one.number for one in trial} == {None}


async def test_the_same_words_under_the_same_ticket_are_done_once(turned):
    """An answer that was lost is given again; another ticket is another redelivery."""
    await turned.webhook("mine")
    old = await turned.event("first")
    first = await redeliver(turned, old, ticket="a")
    assert await redeliver(turned, old, ticket="a") == first
    (other,) = await redeliver(turned, old, ticket="b")
    assert other.number != first[0].number
    await turned.wait(1)
    assert len(turned.requests) == 3


async def test_what_was_made_is_answered_so_when_it_could_not_be_made_any_more(turned):
    """The webhook was disabled, then deleted: the same ticket still tells of what was made, and makes nothing new."""
    webhook = await turned.webhook("mine")
    old, other = await turned.event("first"), await turned.event("second")
    first = await redeliver(turned, old, ticket="a")
    await turned.wait(1)
    await turned.switch(webhook, enabled=False)
    assert await redeliver(turned, old, ticket="a") == first
    await turned.finish(turned.service.office.webhooks.delete(webhook, by="p"))
    told = await redeliver(turned, old, other, ticket="a")
    assert (told[0], told[1].number, told[1].why) == (first[0], None, f"webhook {webhook} was deleted")
    assert len(turned.requests) == 3


async def test_a_webhook_disabled_meanwhile_hears_nothing(turned):
    """Between the decision and the sending somebody disables the webhook: the redelivery is cancelled."""
    number = await turned.webhook("mine")
    old = await turned.event("first")
    await turned.event("other")
    asking = await recorded_and_not_sent(turned, old)
    turned.jobs.free()
    await turned.switch(number, enabled=False)
    await turned.wait(1)
    assert [type(event) for event in turned.story(asking.result()[0].number)] == [Cancelled]
    assert len(turned.requests) == 2


async def test_many_redeliveries_do_not_hold_up_portal_events(turned):
    """They go in chunks: an event that comes in while they are made waits for one chunk's commit, not for all."""
    number = await turned.webhook("mine", "file.updated")
    await turned.webhook("other", "file.created")
    await turned.stop()
    append_backlog(turned.data, [number], 5_000, turned.clock.now_ms())
    await turned.begin()
    await turned.wait(5)
    reader = turned.service.office.reader
    numbers = [recorded.position for recorded in reader.after(0, 20_000) if isinstance(recorded.event, Created)]
    assert len(numbers) == 5_000
    commits = "SELECT count(*) FROM commits"
    before = turned.service.office.recorder.rows(commits)
    making = turned.start(turned.service.office.redeliveries.make(numbers, by="p", ticket="1"))
    while turned.service.office.recorder.rows(commits) == before:
        turned.jobs.turn()
        await let_run()
    (accepted,) = await turned.accept("meanwhile", type="file.created")
    position = accepted.position
    await turned.still()
    told = making.result()
    after = [one.number for one in told if one.number > position]
    assert len(told) == 5_000
    assert len(after) >= 3_500


async def test_what_the_ledger_did_not_take_is_said(turned, monkeypatch):
    """A disk that fails half-way leaves what was made made, and says of each of the rest that it was not."""
    monkeypatch.setattr("core.redelivery.REDELIVER_CHUNK", 2)
    _, numbers = await failed(turned, 5)
    append, taken = turned.service.office.writer.append, []

    async def fails_later(units):
        if taken:
            raise OverloadedError("the ledger cannot write: disk full")
        taken.append(units)
        return await append(units)

    monkeypatch.setattr(turned.service.office.writer, "append", fails_later)
    told = await redeliver(turned, *numbers)
    assert [one.of for one in told] == numbers
    assert [one.why for one in told] == [None] * 2 + ["the ledger cannot write: disk full"] * 3
    assert [one.number is not None for one in told] == [True] * 2 + [False] * 3


async def test_a_hold_holds_redeliveries_too(turned):
    """A receiver that asked for time is left alone by what somebody wants to be sent again."""
    await turned.webhook("busy")
    old = await turned.event("first")
    await turned.still()
    turned.reply = lambda request: answered(503, Retry_After="60")
    await turned.event("second")
    await turned.still()
    turned.reply = lambda request: GOOD
    held_from = turned.clock.now_ms()
    (made,) = await redeliver(turned, old)
    await turned.wait(120)
    (again,) = [request for request in turned.requests if request.number == made.number]
    assert again.at_ms >= held_from + 60_000
