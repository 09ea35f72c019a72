"""Portal events from a broker into the ledger: each once and in order, and what is none of them to the dead."""

from __future__ import annotations

import json

import pytest

from core.limits import CUT_OFF_S
from core.metrics import METRICS
from tests.inbox.broker import TOPIC
from tests.inbox.conftest import event, fails, plain

AWAY = "the broker does not answer"


async def test_what_a_portal_publishes_is_recorded_with_its_place(post):
    """Topic, partition and offset are the event's source, and the group's offset moves behind it."""
    place, _ = post.broker.put(plain("a"))
    post.broker.put(json.dumps([event("b"), event("c", tenant="7")]).encode())
    inbox = post.open()
    await post.done()
    found = {(one.tenant, one.id, one.source) for one in post.received()}
    first, second = ("kafka", TOPIC, 0, 0), ("kafka", TOPIC, 0, 1)
    assert found == {("1", "a", first), ("1", "b", second), ("7", "c", second)}
    assert post.broker.committed == {place: 2}
    assert (inbox.records, inbox.events, inbox.dead, inbox.fault) == (2, 3, 0, None)


async def test_a_partition_keeps_its_order(post):
    """However many partitions there are, and however few records come at once."""
    for number in range(60):
        post.broker.put(plain(f"{number % 3}/{number:02}"), partition=number % 3)
    post.open(records_max=7)
    await post.done()
    for partition in "012":
        of_it = [id for id in post.ids() if id.startswith(partition)]
        assert of_it == sorted(of_it)
    assert len(post.ids()) == 60


async def test_partitions_share_a_commit(post):
    """What waits of several partitions is in one commit, or two where the first was alone."""
    for partition in range(8):
        post.broker.put(plain(f"{partition}"), partition=partition)
    commits = "SELECT count(*) FROM commits"
    ((before,),) = post.office.recorder.rows(commits)
    post.open()
    await post.done()
    ((after,),) = post.office.recorder.rows(commits)
    assert after - before <= 2


async def test_poison_goes_to_the_dead_and_holds_up_nobody(post):
    """Key, value and headers are kept; the reason and the place are told; what stands around it is recorded."""
    post.broker.put(plain("before"))
    post.broker.put(b"\xffno event", key=b"k", headers=[("mine", b"\xfe"), ("hookledger-reason", b"an older one")])
    post.broker.put(None, key=b"tombstone")
    post.broker.put(plain("after"))
    inbox = post.open()
    await post.done()
    assert post.ids() == ["before", "after"]
    odd, empty = post.broker.dead
    assert (odd.key, odd.value) == (b"k", b"\xffno event")
    assert odd.headers[0] == ("mine", b"\xfe")
    told = dict(odd.headers[1:])
    assert told.pop("hookledger-reason").startswith(b"the record is not JSON")
    place = {"hookledger-topic": b"portal.events", "hookledger-partition": b"0", "hookledger-offset": b"1"}
    assert told == {**place, "hookledger-deaths": b"1"}
    assert (empty.key, empty.value) == (b"tombstone", None)
    assert dict(empty.headers)["hookledger-reason"] == b"the record has no value"
    assert (inbox.records, inbox.events, inbox.dead) == (4, 2, 2)


async def test_a_record_with_one_bad_event_is_dead_and_its_good_ones_are_recorded(post):
    """Sent again once it is mended, the good ones are duplicates."""
    post.broker.put(json.dumps([event("a"), {"id": "b"}, event("c", data={"id": []}), event("d")]).encode())
    post.open()
    await post.done()
    assert post.ids() == ["a", "d"]
    (dead,) = post.broker.dead
    reason = dict(dead.headers)["hookledger-reason"].decode()
    assert reason.startswith("2 of 4 events: $[1].type: missing; $[2].data.id: expected")
    post.broker.put(json.dumps([event("a"), event("b"), event("c"), event("d")]).encode())
    await post.done()
    assert sorted(post.ids()) == ["a", "b", "c", "d"]
    assert len(post.broker.dead) == 1


async def test_a_type_that_no_plugin_knows_is_recorded(post):
    """It is an event all the same."""
    post.broker.put(plain("kite", type="kite.flown"))
    post.open()
    await post.done()
    assert (post.ids(), post.broker.dead) == (["kite"], [])


async def test_a_topic_may_be_bound_to_a_tenant(post):
    """Its events are that tenant's, and whoever names another has sent none."""
    post.broker.put(plain("a"), topic="portal.events.7")
    post.broker.put(plain("b", tenant="7"), topic="portal.events.7")
    post.broker.put(plain("c", tenant="8"), topic="portal.events.7")
    post.broker.put(plain("d", tenant="8"))
    post.open(patterns=["portal.events.{tenant}"])
    await post.done()
    assert {(one.tenant, one.id) for one in post.received()} == {("7", "a"), ("7", "b"), ("8", "d")}
    (dead,) = post.broker.dead
    assert dict(dead.headers)["hookledger-reason"] == b"$.tenant: not yours"


async def test_the_same_records_again_are_duplicates(post):
    """A reader that was not told how far it had come reads again; the offsets move, and the ledger stays as it is."""
    place, _ = post.broker.put(plain("a"))
    post.broker.put(plain("b"))
    inbox = post.open()
    post.reading.refuses = "the partition is another's by now"
    await post.until(lambda: inbox.records == 2)
    assert post.broker.committed == {}
    await inbox.stop()
    post.open()
    await post.done()
    assert (post.ids(), post.broker.committed) == (["a", "b"], {place: 2})


async def test_while_the_ledger_is_away_nothing_is_taken_and_then_all_of_it(post, monkeypatch):
    """No offset moves, nobody takes more, and readiness is told why; it goes on by itself."""
    post.broker.put(plain("a"))
    with monkeypatch.context() as patch:
        patch.setattr(post.office.appender, "append", fails)
        inbox = post.open()
        await post.until(lambda: inbox.fault is not None)
        assert "disk I/O error" in inbox.fault
        post.broker.put(plain("b"))
        before = post.office.clock.now_ms()
        await post.until(lambda: post.office.clock.now_ms() > before + CUT_OFF_S * 800)
        assert (post.broker.committed, post.reading.taken, inbox.under_way) == ({}, 1, 1)
    await post.done()
    assert (post.ids(), inbox.fault) == (["a", "b"], None)


async def test_what_was_answered_is_not_asked_again(post, monkeypatch):
    """Of several tenants in a partition, one may have to wait: what became of the others' events is counted once."""
    post.broker.put(b"odd")
    post.broker.put(plain("a", tenant="7"))
    with monkeypatch.context() as patch:
        patch.setattr(post.office.appender, "append", fails)
        inbox = post.open()
        await post.until(lambda: inbox.fault is not None)
        before = post.office.clock.now_ms()
        await post.until(lambda: post.office.clock.now_ms() > before + CUT_OFF_S * 500)
    await post.done()
    assert (post.ids(), len(post.broker.dead)) == (["a"], 1)
    assert post.office.tally.rejected["kafka", "not_json"] == 1


async def test_a_dead_letter_that_is_not_taken_is_waited_for(post):
    """The offset stays before it; what is good is recorded meanwhile."""
    post.broker.put(b"odd")
    post.broker.put(plain("a"))
    post.broker.refuses = AWAY
    inbox = post.open()
    await post.until(lambda: inbox.fault is not None)
    assert (inbox.fault, post.ids(), post.broker.committed) == (AWAY, ["a"], {})
    post.broker.refuses = None
    await post.done()
    assert ([one.value for one in post.broker.dead], inbox.fault, inbox.dead) == ([b"odd"], None, 1)


@pytest.mark.parametrize("bytes_max", [300, 700])
async def test_a_dead_letter_that_is_too_large_is_cut(post, bytes_max):
    """Until it fits, and a header says how long it was; those beside it are not cut."""
    post.broker.put(b"x" * 1_000, key=b"k", headers=[("mine", b"y" * 100)])
    post.broker.put(b"odd")
    post.broker.bytes_max = bytes_max
    post.open()
    await post.done()
    small, large = sorted(post.broker.dead, key=lambda one: one.value == b"odd", reverse=True)
    assert small.value == b"odd"
    assert "hookledger-cut" not in dict(small.headers)
    assert dict(large.headers)["hookledger-cut"] == b"1000"
    assert large.key == b"k"
    assert large.value == b"x" * len(large.value)
    assert len(large.value) < bytes_max


@pytest.mark.parametrize("part", ["key", "headers"])
async def test_what_is_too_large_without_a_value_holds_up_nobody(post, part):
    """A long key is cut as well, and headers are left out; what it was is said."""
    said = {"key": b"k" * 900} if part == "key" else {"headers": [(f"h{number}", b"x" * 9) for number in range(100)]}
    post.broker.put(None, **said)
    post.broker.put(plain("a"))
    post.broker.bytes_max = 700
    post.open()
    await post.done()
    (one,) = post.broker.dead
    headers = dict(one.headers)
    assert (post.ids(), headers["hookledger-cut"], headers["hookledger-offset"]) == (["a"], b"0", b"0")
    assert headers.get("hookledger-key-cut") == (b"900" if part == "key" else None)


async def test_a_fault_of_ours_loses_nothing(post, monkeypatch, caplog):
    """It is logged, and tried again."""

    def odd(*_, **__):
        raise KeyError("odd")

    post.broker.put(plain("a"))
    with monkeypatch.context() as patch:
        patch.setattr(post.office.intake, "accept", odd)
        inbox = post.open()
        await post.until(lambda: inbox.fault is not None)
        assert inbox.fault == "KeyError: 'odd'"
    await post.done()
    assert (post.ids(), inbox.fault) == (["a"], None)
    assert {record.line for record in caplog.records} >= {"inbox.bug", "inbox.waits", "inbox.goes_on"}


async def test_what_it_counts_is_shown(post):
    """Each of its metrics is in the list."""
    post.broker.put(json.dumps([event("a"), event("b")]).encode())
    post.broker.put(b"odd")
    inbox = post.open()
    await post.done()
    await post.until(lambda: inbox.under_way == 0)
    samples = await inbox.samples()
    assert {name for name, _, _ in samples} <= {metric.name for metric in METRICS}
    assert [value for _, _, value in samples] == [2, 2, 1, 0]
    assert post.office.tally.accepted["kafka"] == 2
    assert post.office.tally.rejected["kafka", "not_json"] == 1


@pytest.mark.parametrize("port", ["reading", "writing"])
async def test_a_fault_of_a_port_is_the_inbox_s(post, port):
    """Readiness asks one of them only."""
    inbox = post.open()
    getattr(post, port).fault = AWAY
    assert inbox.fault == AWAY
