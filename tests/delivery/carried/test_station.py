"""Each attempt is made once, whatever the broker brings twice or loses, and whoever has the partition."""

from __future__ import annotations

import msgspec
import pytest

from core.limits import CARRIED_MARK_S, CHECK_MS
from core.model.delivery import Delivered, LateAttempt
from delivery.kafka.records import Partition
from delivery.parcel import decoded, encoded
from tests.delivery.carried.desk import TOPIC
from tests.delivery.outbox.turned import GOOD

PLACE = Partition(TOPIC, 0)


async def test_a_second_record_of_an_attempt_is_passed_over(desk):
    """As the next outbox writes it, when the one before died before it had marked the first."""
    desk.station()
    await desk.webhook()
    desk.reply = lambda request: None
    await desk.events("e")
    await desk.until(lambda: desk.requests)
    first = desk.log[0]
    desk.broker.put(first.value, topic=TOPIC)
    await desk.settle()
    desk.requests[0].answer(GOOD)
    await desk.until(lambda: desk.waiting == 0)
    desk.broker.put(first.value, topic=TOPIC)
    await desk.wait(1)
    assert desk.titles == ["e"]
    assert desk.broker.committed[PLACE] == 3


@pytest.mark.parametrize("reason", ["it was there", "it took long"])
async def test_what_may_be_recorded_is_looked_up(desk, reason):
    """A worker that knows nothing of it: the record was there when it came, or took long to come."""
    await _deliver_one(desk)
    if reason == "it took long":
        await desk.wait(CHECK_MS / 1_000 + 0.1)
    station = desk.station()
    if reason == "it was there":
        desk.reading.ends[PLACE] = 1
    desk.broker.committed.clear()
    desk.reading._seen.clear()
    await desk.wait(1)
    assert desk.titles == ["e"]
    assert dict(station._unpacking.counts)["recorded"] == 1
    assert desk.broker.committed[PLACE] == 1


async def _deliver_one(desk):
    station = desk.station()
    await desk.webhook()
    await desk.events("e")
    await desk.until(lambda: desk.waiting == 0 and desk.requests)
    await station.stop(0)


async def test_what_is_not_recorded_is_attempted_by_whoever_is_next(desk):
    """The first took it, and died before it had begun."""
    first = desk.station()
    desk.reading.is_member = False
    await desk.webhook()
    await desk.events("e")
    await desk.wait(CHECK_MS / 1_000 + 0.1)
    assert desk.requests == []
    await first.stop(0)
    assert desk.broker.committed == {}
    desk.station()
    await desk.wait(1)
    assert desk.titles == ["e"]
    assert desk.broker.committed[PLACE] == 1


async def test_who_is_no_member_begins_nothing_until_it_is_again(desk):
    """Another may have its partitions meanwhile."""
    desk.station()
    desk.reading.is_member = False
    await desk.webhook()
    await desk.events("e")
    await desk.wait(5)
    assert desk.requests == []
    desk.reading.is_member = True
    await desk.wait(1)
    assert desk.titles == ["e"]


async def test_a_fault_of_ours_keeps_nothing_from_being_committed(desk, monkeypatch, caplog):
    """What it was met with is handed out again later; what comes behind it is done, and done with."""

    def odd(_streams):
        raise KeyError("odd")

    station = desk.station()
    desk.reading.ends[PLACE] = 1
    await desk.webhook()
    with monkeypatch.context() as patch:
        patch.setattr(desk.office.reader, "streams", odd)
        await desk.events("first")
        await desk.until(lambda: "station.bug" in {record.line for record in caplog.records})
    await desk.events("second")
    await desk.wait(1)
    assert (desk.titles, desk.broker.committed[PLACE]) == (["second"], 2)
    await desk.wait(CARRIED_MARK_S + 1)
    await desk.wait(1)
    assert desk.titles == ["second", "first"]
    assert station.reasons() == []


async def test_what_waits_for_the_ledger_is_not_attempted_again(desk):
    """Its outcome came, or was recorded, later than its mark was over; the outbox has handed it out again meanwhile."""
    station = desk.station()
    await desk.webhook()
    desk.reply = lambda request: None
    await desk.events("e")
    await desk.until(lambda: desk.requests)
    await desk.wait(CARRIED_MARK_S + 1)
    assert len(desk.log) == 2
    desk.requests[0].answer(GOOD)
    await desk.until(lambda: desk.waiting == 0)
    desk.broker.put(desk.log[1].value, topic=TOPIC)
    await desk.wait(1)
    assert desk.titles == ["e"]
    assert station._begun == {}
    assert desk.broker.committed[PLACE] == 3


async def test_a_record_that_is_none_is_passed_over(desk, caplog):
    """And said; the others are attempted."""
    station = desk.station()
    desk.broker.put(b"none", topic=TOPIC)
    desk.broker.put(None, key=b"1", topic=TOPIC)
    await desk.webhook()
    await desk.events("e")
    await desk.until(lambda: desk.waiting == 0 and desk.requests)
    await desk.wait(1)
    assert station._unpacking.counts["unreadable"] == 2
    assert desk.broker.committed[PLACE] == 3
    assert [said.line for said in caplog.records].count("station.unreadable") == 2


async def test_an_outcome_comes_after_the_first_one_only_as_late(desk):
    """Should an attempt be made twice after all, by two workers, the delivery has one end."""
    desk.station()
    await desk.webhook()
    desk.reply = lambda request: None
    await desk.events("e")
    await desk.until(lambda: desk.requests)
    # It is given the same record: nothing is committed.
    desk.station()
    await desk.until(lambda: len(desk.requests) == 2)
    for request in desk.requests:
        request.answer(GOOD)
    await desk.until(lambda: desk.waiting == 0)
    await desk.settle()
    kinds = [type(one.event) for one in desk.office.reader.after(0) if isinstance(one.event, Delivered | LateAttempt)]
    assert kinds == [Delivered, LateAttempt]


async def test_what_another_ledger_hands_out_is_left_alone(desk, caplog):
    """Numbers of webhooks are the same there: its events would go to receivers of ours."""
    station = desk.station()
    await desk.webhook()
    await desk.events("e")
    await desk.until(lambda: desk.waiting == 0 and desk.requests)
    parcel = decoded(desk.log[0].value)
    row = msgspec.structs.replace(parcel.rows[0], number=4_711, delivery=bytes(16))
    foreign = msgspec.structs.replace(parcel, ledger=bytes(16), rows=[row])
    for _ in range(2):
        desk.broker.put(encoded(foreign), topic=TOPIC)
    await desk.wait(1)
    assert desk.titles == ["e"]
    assert station._unpacking.counts["foreign"] == 2
    assert desk.broker.committed[PLACE] == 3
    assert caplog.text.count("of another ledger") == 1


async def test_an_outcome_of_what_the_ledger_has_lost_holds_up_nobody(desk):
    """As after a restore of an older backup, with records of what came later still in Kafka."""
    station = desk.station()
    await desk.webhook()
    await desk.events("e")
    await desk.until(lambda: desk.waiting == 0 and desk.requests)
    parcel = decoded(desk.log[0].value)
    row = msgspec.structs.replace(parcel.rows[0], number=4_711, delivery=bytes(16))
    desk.broker.put(encoded(msgspec.structs.replace(parcel, rows=[row])), topic=TOPIC)
    await desk.wait(1)
    assert desk.broker.committed[PLACE] == 2
    assert station.workers.unrecorded == 0
    assert station._begun == {}
