"""What consumer and producer promise, on every broker."""

from __future__ import annotations

import asyncio
from itertools import groupby

import pytest

from core.errors import OverloadedError
from delivery.kafka.records import Message, Placed, Refused
from tests.brokers.reader import DEADLINE_S, behind


def messages(topic, count, keys=7):
    return [Message(topic, b"key %d" % (n % keys), b"%d" % n) for n in range(count)]


async def test_what_is_produced_is_consumed_in_the_order_of_its_key(broker, produce, consume):
    """Each key keeps its order, each record its place, and nothing is lost or doubled."""
    topic = broker.new_topic()
    sent = messages(topic, 1_000)
    placed = await produce(broker).send(sent)
    read = await consume(broker, topic).take(len(sent))
    at = {(record.partition, record.offset): (record.key, record.value) for record in read}
    assert [at[place] for place in placed] == [(message.key, message.value) for message in sent]
    assert len(read) == len(sent)
    for _, records in groupby(sorted(read, key=lambda record: record.key), key=lambda record: record.key):
        numbers = [int(record.value) for record in records]
        assert numbers == sorted(numbers)


async def test_who_comes_back_goes_on_behind_the_last_commit(broker, produce, consume):
    """What was committed does not come again, and what was not does."""
    topic = broker.new_topic(partitions=1)
    await produce(broker).send(messages(topic, 10))
    first = consume(broker, topic)
    read = await first.take(10, commit=False)
    assert await first.consumer.commit({read[3].place: read[3].offset + 1}) is None
    await first.consumer.close()
    second = consume(broker, topic)
    assert [record.offset for record in await second.take(6)] == [4, 5, 6, 7, 8, 9]


async def test_a_commit_says_why_it_is_none(broker, consume):
    """Of a partition that somebody else has, nothing is committed."""
    topic = broker.new_topic(partitions=1)
    reader = consume(broker, topic)
    await reader.owns(1)
    (place,) = reader.owned
    assert "not ours any more" in await reader.consumer.commit({place._replace(number=5): 1})


async def test_a_second_member_gets_its_part_and_nothing_is_lost(broker, produce, consume):
    """Partitions go over from one member to the other, after the first has committed what it had under way."""
    topic = broker.new_topic(partitions=4)
    producer = produce(broker)
    await producer.send(messages(topic, 400))
    first = consume(broker, topic)
    await first.owns(4)
    under_way = await first.take(400, commit=False)
    committed = []

    async def finish(partitions):
        mine = [record for record in under_way if record.place in partitions]
        committed.append((partitions, await first.consumer.commit(behind(mine))))

    first.letting_go = finish
    second = consume(broker, topic)
    await second.owns(2)
    await first.owns(2)
    assert not first.owned & second.owned
    assert committed == [(frozenset(second.owned), None)]
    await producer.send(messages(topic, 400, keys=50))
    read = [*under_way, *await _together(first, second, 400)]
    # Of what the second has, it got only what the first had not committed.
    assert len({(record.partition, record.offset) for record in read}) == len(read) == 800


async def _together(first, second, count):
    """What two members get until it is so many."""
    read = []
    takes = {asyncio.ensure_future(one.consumer.take()): one for one in (first, second)}
    async with asyncio.timeout(DEADLINE_S):
        while len(read) < count:
            done, _ = await asyncio.wait(takes, return_when=asyncio.FIRST_COMPLETED)
            for take in done:
                read += take.result()
                one = takes.pop(take)
                takes[asyncio.ensure_future(one.consumer.take())] = one
    for take in takes:
        take.cancel()
    return read


async def test_who_has_no_room_is_read_no_further(broker, produce, consume):
    """Beyond the limit nothing more is read, the group keeps its member, and then all comes in order."""
    topic = broker.new_topic(partitions=1)
    await produce(broker).send(messages(topic, 12_000))
    reader = consume(broker, topic, records_max=1_000)
    await reader.owns(1)
    another = consume(broker, broker.new_topic(partitions=1))
    await another.owns(1)
    read = await reader.take(1, commit=False)
    # One look's worth beyond the limit, at most.
    assert reader.consumer.waiting <= 2_000
    read += await reader.take(12_000 - len(read))
    assert [record.offset for record in read] == [*range(12_000)]
    assert reader.let_go == []


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_is_read(broker, produce, consume, compression):
    """However a portal compresses its records, they are read."""
    topic = broker.new_topic(partitions=1)
    sent = [Message(topic, None, b"value " * 1_000 + b"%d" % n) for n in range(100)]
    await produce(broker, {"HOOKLEDGER_KAFKA_COMPRESSION_TYPE": compression}).send(sent)
    read = await consume(broker, topic).take(100)
    assert [record.value for record in read] == [message.value for message in sent]


async def test_no_value_and_headers_come_through(broker, produce, consume):
    """A record may have a key alone; headers keep their order, and may have the same name twice."""
    topic = broker.new_topic(partitions=1)
    headers = (("a", b"1"), ("b", b"\xff\x00"), ("a", b""))
    sent = [Message(topic, b"key", None, headers), Message(topic, None, b"", ())]
    await produce(broker).send(sent)
    read = await consume(broker, topic).take(2)
    assert [Message(topic, record.key, record.value, record.headers) for record in read] == sent
    assert all(record.timestamp_ms > 0 for record in read)


async def test_one_bad_message_is_its_own_error(broker, produce):
    """What is too large, has nothing in it or goes nowhere is refused, and its neighbours are not."""
    topic = broker.new_topic(partitions=1)
    producer = produce(broker)
    good = Message(topic, b"k", b"v")
    large, empty, astray = (
        good._replace(value=b"x" * 2_000_000),
        good._replace(key=None, value=None),
        good._replace(topic="no topic"),
    )
    outcomes = await producer.send([good, large, empty, astray, astray, good])
    assert [type(outcome) for outcome in outcomes] == [Placed, Refused, Refused, Refused, Refused, Placed]
    assert "larger" in outcomes[1].reason
    assert "no topic" in outcomes[3].reason
    assert await producer.send([good]) == [Placed(0, 2)]


async def test_a_producer_takes_no_more_than_it_may_hold(broker, produce):
    """What finds no room is an error that names the limit, and who waits already gets an answer."""
    topic = broker.new_topic(partitions=1)
    producer = produce(broker, records_max=100, bytes_max=10_000)
    waiting = [asyncio.ensure_future(producer.send(messages(topic, 60))) for _ in range(2)]
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert len(answers[0]) == 60
    assert isinstance(answers[1], OverloadedError)
    assert answers[1].limit == "PRODUCED_RECORDS_MAX"
    large = asyncio.ensure_future(producer.send([Message(topic, None, b"x" * 9_000)]))
    with pytest.raises(OverloadedError, match="too much"):
        await asyncio.gather(large, producer.send([Message(topic, None, b"x" * 2_000)]))
    assert await large
    assert len(await producer.send(messages(topic, 100))) == 100


async def test_what_was_sent_is_answered_before_the_end(broker, produce):
    """A producer that is closed gives what it has to the broker first, and takes nothing after."""
    topic = broker.new_topic(partitions=1)
    producer = produce(broker)
    sending = [asyncio.ensure_future(producer.send(messages(topic, 500))) for _ in range(4)]
    turn = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turn.set_result, None)
    await turn
    await producer.close()
    answers = await asyncio.gather(*sending)
    assert {type(outcome) for outcomes in answers for outcome in outcomes} == {Placed}
    assert await producer.send(messages(topic, 1)) == [Refused("it is closed")]


async def test_who_closes_lets_go_and_leaves(broker, consume):
    """The loop is asked to let go first; afterwards there is nothing to take or to commit, and another has it all."""
    topic = broker.new_topic(partitions=2)
    first = consume(broker, topic)
    await first.owns(2)
    owned = frozenset(first.owned)
    await first.consumer.close()
    assert first.let_go == [owned]
    assert await first.consumer.take() == []
    assert await first.consumer.commit({next(iter(owned)): 1}) == "it is closed"
    await consume(broker, topic).owns(2)


async def test_who_closes_while_its_group_waits_for_another_is_not_kept(apache, produce, consume, caplog):
    """What cannot be committed in the middle of a rebalance comes again: nobody waits for its end."""
    topic = apache.new_topic(partitions=4)
    await produce(apache).send(messages(topic, 100))
    members = first, second = [consume(apache, topic, release_s=60) for _ in range(2)]
    for one in members:
        await one.owns(2)
    # The second keeps the others waiting, who would have joined again.
    may_go, is_asked = asyncio.Event(), asyncio.Event()

    async def hold(_partitions):
        is_asked.set()
        await may_go.wait()

    second.letting_go = hold
    others = [consume(apache, topic) for _ in range(2)]
    async with asyncio.timeout(DEADLINE_S):
        await is_asked.wait()
        others.append(consume(apache, topic))
        # Who has joined again, and is not answered yet, sends no heartbeat.
        await _until(lambda: not first.consumer.is_member)

    async def finish(partitions):
        commits.append(await first.consumer.commit(dict.fromkeys(partitions, 1)))

    commits = []
    first.letting_go = finish
    await first.consumer.close()
    assert "kafka.not_closed" not in {getattr(record, "line", "") for record in caplog.records}
    assert commits == ["its group is left"]
    may_go.set()
    async with asyncio.timeout(DEADLINE_S):
        await _until(lambda: sum(len(one.owned) for one in (second, *others)) == 4)


async def test_who_is_out_of_its_group_leaves_all_to_others_until_it_joins(apache, produce, consume):
    """What it has read and not taken is for others, and it does not wait for what is under way; then it has its part
    again."""
    topic = apache.new_topic(partitions=2)
    await produce(apache).send(messages(topic, 100))
    first = consume(apache, topic, release_s=60)
    await first.owns(2)
    read = await first.take(1)
    never = asyncio.Event()

    async def wait(_partitions):
        first.owned.clear()
        await never.wait()

    first.letting_go = wait
    await first.consumer.leave()
    assert not first.consumer.is_member
    second = consume(apache, topic)
    await second.owns(2)
    assert len(await second.take(100 - len(read))) == 100 - len(read)
    first.letting_go = None
    first.consumer.join()
    await first.owns(1)
    await second.owns(1)
    await first.consumer.leave()
    await first.consumer.close()
    await first.consumer.leave()
    await second.owns(2)


async def _until(holds):
    """Look now and then; whoever calls sets the deadline."""
    looks = asyncio.Event()
    while not holds():
        asyncio.get_running_loop().call_later(0.05, looks.set)
        await looks.wait()
        looks.clear()


async def test_a_member_knows_what_lies_before_it(broker, produce, consume):
    """What its partitions have and is not committed, by topic; nothing when all is."""
    topic = broker.new_topic(partitions=2)
    producer, reader = produce(broker), consume(broker, topic)
    await producer.send(messages(topic, 50))
    records = await reader.take(50, commit=False)
    await lag_is(reader, {topic: 50})
    await reader.consumer.commit(behind(records))
    await lag_is(reader, {topic: 0})
    await producer.send(messages(topic, 7))
    await lag_is(reader, {topic: 7})


async def lag_is(reader, lag):
    """Wait until it is counted so; it is counted now and then."""
    looked = asyncio.Event()
    async with asyncio.timeout(DEADLINE_S):
        while reader.consumer.lag.records != lag:
            asyncio.get_running_loop().call_later(0.05, looked.set)
            await looked.wait()
            looked.clear()
