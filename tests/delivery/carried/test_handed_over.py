"""Handed out over a broker, deliveries go as in one process: retried, held back, cancelled, and handed out again."""

from __future__ import annotations

from core.limits import CARRIED_MARK_S, CARRY_S
from delivery.kafka.records import Partition
from tests.delivery.carried.desk import TOPIC
from tests.delivery.outbox.turned import BAD, GOOD, answered

PLACE = Partition(TOPIC, 0)


async def test_what_is_handed_out_is_attempted_and_committed(desk):
    """The outbox hears of it through the ledger, and has room again."""
    desk.station()
    await desk.webhook()
    titles = [f"e{n}" for n in range(30)]
    await desk.events(*titles)
    await desk.until(lambda: desk.waiting == 0 and len(desk.requests) == 30)
    await desk.wait(1)
    assert sorted(desk.titles) == sorted(titles)
    assert desk.broker.committed[PLACE] == len(desk.log)
    assert desk.carrier.dispatch.young == 0
    assert sum(map(len, desk.term.marks)) == 30


async def test_a_lost_record_is_handed_out_again(desk):
    """The same attempt, when its mark is over, and not before."""
    await desk.webhook()
    await desk.events("e")
    await desk.until(lambda: desk.log)
    desk.broker.logs.clear()
    desk.station()
    await desk.wait(CARRIED_MARK_S - 1)
    assert (desk.log, desk.requests) == ([], [])
    await desk.wait(2)
    await desk.until(lambda: desk.waiting == 0)
    assert [(request.title, request.attempt) for request in desk.requests] == [("e", 1)]
    assert desk.term.marks[0] == desk.term.marks[1]


async def test_what_comes_too_late_is_not_begun_and_comes_again(desk):
    """It could last beyond its time. A record of the next handing out is no second one."""
    await desk.webhook()
    await desk.events("e")
    await desk.until(lambda: desk.log)
    await desk.wait(CARRY_S + 1)
    station = desk.station()
    await desk.wait(1)
    assert desk.requests == []
    assert station.late == 1
    assert desk.broker.committed[PLACE] == 1
    await desk.wait(CARRIED_MARK_S)
    await desk.until(lambda: desk.waiting == 0)
    assert [(request.title, request.attempt) for request in desk.requests] == [("e", 1)]


async def test_a_receiver_that_asks_for_patience_gets_it(desk):
    """What is in the worker's hands waits there, for as long as there is time."""
    desk.station()
    await desk.webhook()
    replies = [answered(429, retry_after="5")]
    desk.reply = lambda request: replies.pop() if replies else None
    await desk.events("a", "b")
    await desk.until(lambda: desk.requests)
    count = len(desk.requests)
    for request in desk.requests[1:]:
        request.answer(GOOD)
    desk.reply = lambda request: GOOD
    await desk.events("c")
    await desk.wait(4)
    assert len(desk.requests) == count
    await desk.wait(2)
    await desk.until(lambda: desk.waiting == 0)
    assert sorted({request.title for request in desk.requests}) == ["a", "b", "c"]


async def test_a_failed_attempt_is_tried_again_through_the_broker(desk):
    """The retry is another record, with what the first attempt came to."""
    desk.station()
    await desk.webhook()
    desk.reply = lambda request: BAD if request.attempt == 1 else GOOD
    await desk.events("e")
    await desk.until(lambda: desk.requests)
    await desk.wait(6)
    await desk.until(lambda: desk.waiting == 0)
    assert [request.attempt for request in desk.requests] == [1, 2]


async def test_of_a_webhook_that_was_disabled_nothing_is_attempted(desk):
    """The worker knows at least what the outbox knew; what it leaves is cancelled when its mark is over."""
    number = await desk.webhook()
    await desk.events("e")
    await desk.until(lambda: desk.log)
    await desk.office.webhooks.switch(number, enabled=False, by="p")
    station = desk.station()
    await desk.wait(1)
    assert desk.requests == []
    assert station.late == 1
    await desk.wait(CARRIED_MARK_S)
    await desk.until(lambda: desk.waiting == 0)
    assert desk.requests == []


async def test_who_cannot_be_sure_that_it_leads_writes_nothing(desk):
    """It may have slept, and another one leads by now: a record would be as new as that one's."""
    desk.station()
    await desk.webhook()
    desk.term.is_sure = False
    await desk.events("e")
    await desk.wait(5)
    assert (desk.log, desk.requests, desk.term.marks) == ([], [], [])


async def test_what_the_broker_refuses_is_written_again(desk):
    """And marked once it has it."""
    desk.broker.refuses = "no broker answers"
    await desk.webhook()
    await desk.events("e")
    await desk.wait(1)
    assert (desk.log, desk.term.marks) == ([], [])
    assert "they do not reach Kafka: no broker answers" in desk.carrier.reasons()[0]
    desk.broker.refuses = None
    desk.station()
    await desk.wait(1)
    await desk.until(lambda: desk.waiting == 0)
    assert desk.titles == ["e"]
    assert desk.carrier.reasons() == []


async def test_who_enables_a_webhook_again_need_not_wait_for_what_its_receiver_asked_before(desk):
    """The outbox forgets it then, and so do workers."""
    desk.station()
    number = await desk.webhook()
    desk.reply = lambda request: answered(429, retry_after="7200")
    await desk.events("a")
    await desk.until(lambda: desk.requests)
    await desk.wait(1)
    desk.reply = lambda request: GOOD
    await desk.office.webhooks.switch(number, enabled=False, by="p")
    await desk.wait(1)
    await desk.office.webhooks.switch(number, enabled=True, by="p")
    await desk.events("b")
    await desk.wait(1)
    assert desk.titles == ["a", "b"]
