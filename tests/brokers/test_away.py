"""What consumer and producer do while the broker is away, and when it is back."""

from __future__ import annotations

import asyncio
from contextlib import closing

from kafka import KafkaAdminClient

from delivery.kafka.consumer import CLOSE_S, Consumer
from delivery.kafka.producer import Producer
from delivery.kafka.records import Message, Placed, Refused
from delivery.kafka.settings import read
from tests.brokers.apache import ApacheBroker
from tests.brokers.broker import free_port
from tests.brokers.reader import DEADLINE_S, Reader, behind
from tests.brokers.test_both import messages


async def test_a_killed_broker_is_waited_for(apache, produce, consume, caplog):
    """Both go on by themselves when it is back: nothing that was placed is lost, and each fault is said once."""
    topic = apache.new_topic(partitions=1)
    producer, reader = produce(apache), consume(apache, topic)
    await producer.send(messages(topic, 100))
    read = await reader.take(100)
    sending = asyncio.ensure_future(producer.send(messages(topic, 2_000)))
    apache.kill()
    late = asyncio.ensure_future(producer.send(messages(topic, 100)))
    await _fault(reader.consumer)
    await _fault(producer)
    await asyncio.to_thread(apache.start)
    # What was under way when it died may be refused, and there all the same.
    outcomes = [*await sending, *await late, *await producer.send(messages(topic, 100))]
    placed = {outcome.offset for outcome in outcomes if isinstance(outcome, Placed)}
    assert all(isinstance(outcome, Placed) for outcome in outcomes[-100:])
    while not placed <= {record.offset for record in read}:
        read += await reader.take(1)
    assert reader.consumer.fault is None
    assert producer.fault is None
    said = [record.line for record in caplog.records if record.name == "hookledger.kafka"]
    assert sorted(said) == ["kafka.away", "kafka.away", "kafka.back", "kafka.back"]


async def test_a_commit_waits_for_the_broker(apache, produce, consume):
    """What is committed while no broker answers is committed when one does."""
    topic = apache.new_topic(partitions=1)
    await produce(apache).send(messages(topic, 10))
    reader = consume(apache, topic, environment={"HOOKLEDGER_KAFKA_SESSION_TIMEOUT_MS": "45000"})
    records = await reader.take(10, commit=False)
    await asyncio.to_thread(apache.stop)
    committing = asyncio.ensure_future(reader.consumer.commit(behind(records[:5])))
    await _fault(reader.consumer)
    assert not committing.done()
    await asyncio.to_thread(apache.start)
    async with asyncio.timeout(DEADLINE_S):
        assert await committing is None
    await reader.consumer.close()
    assert [record.offset for record in await consume(apache, topic).take(5)] == [5, 6, 7, 8, 9]


async def test_who_comes_first_waits_for_the_broker():
    """Clients may be there before the broker is, and before the topic is."""
    broker = ApacheBroker()
    reader = Reader(broker, "topic-1", "group")
    producer = Producer(read(broker.address, {}))
    try:
        sending = asyncio.ensure_future(producer.send([Message("topic-1", None, b"early")]))
        await _fault(producer)
        await asyncio.to_thread(broker.start)
        await _fault(reader.consumer, "there is no topic topic-1")
        outcomes = await sending
        assert isinstance(outcomes[0], Refused)
        while isinstance(outcomes[0], Refused):
            broker.has_topic("topic-1") or broker.new_topic(name="topic-1")
            outcomes = await producer.send([Message("topic-1", None, b"later")])
        assert [record.value for record in await reader.take(1)] == [b"later"]
    finally:
        await asyncio.gather(reader.consumer.close(), producer.close())
        broker.end()


async def test_who_leaves_is_not_waited_for(apache, consume):
    """The next member has all partitions long before the session of the one that left would have run out."""
    topic = apache.new_topic(partitions=2)
    long = {"HOOKLEDGER_KAFKA_SESSION_TIMEOUT_MS": "45000"}
    first = consume(apache, topic, environment=long)
    await first.owns(2)
    await first.consumer.close()
    began = asyncio.get_running_loop().time()
    await consume(apache, topic, environment=long).owns(2)
    assert asyncio.get_running_loop().time() - began < 15


async def test_a_join_that_outlasts_a_look_is_not_forgotten(apache, consume, monkeypatch):
    """A group comes together however short its members look for records, and stays so."""
    monkeypatch.setattr("delivery.kafka.consumer.POLL_MS", 1)
    topic = apache.new_topic(partitions=4)
    first = consume(apache, topic)
    await first.owns(4)
    second = consume(apache, topic)
    await second.owns(2)
    await first.owns(2)
    assert not first.owned & second.owned


async def test_to_close_ends_while_the_broker_is_away(apache, produce, consume):
    """Whatever is under way, both are closed within their limit, and who waits is answered."""
    topic = apache.new_topic(partitions=1)
    producer, reader = produce(apache), consume(apache, topic)
    await producer.send(messages(topic, 100))
    records = await reader.take(100, commit=False)
    apache.kill()
    sending = asyncio.ensure_future(producer.send(messages(topic, 100)))
    committing = asyncio.ensure_future(reader.consumer.commit(behind(records)))
    await _fault(producer)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(reader.consumer.close(), producer.close())
    assert asyncio.get_running_loop().time() - began < CLOSE_S
    assert {type(outcome) for outcome in await sending} == {Refused}
    assert await committing in ("its group is left", "it is closed")


async def test_to_close_ends_where_there_never_was_a_broker(caplog):
    """Clients that were never connected are closed as well."""
    nowhere = read(f"127.0.0.1:{free_port()}", {})
    producer = Producer(nowhere)
    consumer = Consumer(nowhere, "group", ["topic"], assigned=print, released=print)
    sending = asyncio.ensure_future(producer.send([Message("topic", None, b"value")]))
    await _fault(producer)
    await asyncio.gather(consumer.close(), producer.close())
    assert {type(outcome) for outcome in await sending} == {Refused}
    assert "kafka.not_closed" not in {getattr(record, "line", "") for record in caplog.records}


async def test_a_broker_that_lost_its_log_is_written_to_again(apache, produce):
    """What it knew of the producer is gone with it, and the producer begins anew."""
    topic = apache.new_topic(partitions=1)
    producer = produce(apache)
    await producer.send(messages(topic, 100))
    await asyncio.to_thread(apache.stop)
    apache.empty()
    await asyncio.to_thread(apache.start)
    apache.new_topic(partitions=1, name=topic)
    outcomes = [Refused("")]
    async with asyncio.timeout(DEADLINE_S):
        while not all(isinstance(outcome, Placed) for outcome in outcomes):
            outcomes = await producer.send(messages(topic, 10))


async def test_a_topic_that_was_deleted_and_made_again_is_written_to_again(apache, produce):
    """Records that had no answer when it went away keep the client from beginning a new epoch, for good."""
    topic = apache.new_topic()
    short = {"HOOKLEDGER_KAFKA_DELIVERY_TIMEOUT_MS": "3000", "HOOKLEDGER_KAFKA_REQUEST_TIMEOUT_MS": "1000"}
    producer = produce(apache, short)
    some = [Message(topic, b"%d" % number, b"x") for number in range(40)]
    for _ in range(3):
        await producer.send(some)
    with closing(KafkaAdminClient(bootstrap_servers=apache.address)) as admin:
        admin.delete_topics([topic])
    async with asyncio.timeout(DEADLINE_S):
        assert any(isinstance(outcome, Refused) for outcome in await producer.send(some))
    apache.new_topic(name=topic)
    outcomes = [Refused("")]
    async with asyncio.timeout(DEADLINE_S):
        while not all(isinstance(outcome, Placed) for outcome in outcomes):
            outcomes = await producer.send(some)


async def _fault(client, text="no broker answers"):
    """Wait until it says what is wrong."""
    turn = asyncio.Event()
    async with asyncio.timeout(DEADLINE_S):
        while text not in (client.fault or ""):
            asyncio.get_running_loop().call_later(0.05, turn.set)
            await turn.wait()
            turn.clear()
