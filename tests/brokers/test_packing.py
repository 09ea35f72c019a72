"""Messages that are put into batches at once go where others go, and are split and refused as others are."""

from __future__ import annotations

import os
from contextlib import closing

from kafka import KafkaProducer

from delivery.kafka.records import Message, Placed, Refused


async def test_a_key_has_the_partition_that_other_clients_give_it(broker, produce):
    """Whatever its bytes and its length."""
    topic = broker.new_topic(partitions=7)
    keys = [b"%d" % n for n in range(300)] + [os.urandom(n) for n in range(40)]
    producer = produce(broker)
    await producer.send([Message(topic, b"known", b"from here on")])
    ours = await producer.send([Message(topic, key, b"v") for key in keys])
    with closing(KafkaProducer(bootstrap_servers=broker.address)) as other:
        theirs = [other.send(topic, b"v", key) for key in keys]
        assert [one.partition for one in ours] == [one.get(30).partition for one in theirs]


async def test_records_of_every_kind_keep_the_order_of_their_partition(broker, produce, consume):
    """Those that are packed, and between them those that are as large as a batch, or have no key, or no value."""
    topic = broker.new_topic(partitions=1)
    producer = produce(broker)
    large = b"x" * 600_000
    sent = [
        Message(
            topic,
            None if n % 13 == 0 else b"%d" % n,
            large if n % 17 == 0 else b"%d" % n,
            (("n", b"%d" % n),) * (n % 3),
        )
        for n in range(400)
    ]
    sent.append(Message(topic, b"gone", None))
    assert await producer.send(sent[:1]) == [Placed(0, 0)]
    assert await producer.send(sent[1:]) == [Placed(0, n) for n in range(1, len(sent))]
    read = await consume(broker, topic).take(len(sent))
    assert [Message(topic, one.key, one.value, one.headers) for one in read] == sent


async def test_a_batch_that_is_too_large_for_its_topic_is_split(apache, produce, consume):
    """Again and again; each record has its own place, nothing is there twice, and the order is kept."""
    topic = apache.new_topic(partitions=2, **{"max.message.bytes": "3000"})
    producer = produce(apache)
    # What is random is not compressed.
    sent = [Message(topic, b"%d" % (n % 5), os.urandom(400)) for n in range(200)]
    await producer.send(sent[:1])
    outcomes = await producer.send(sent[1:])
    read = await consume(apache, topic).take(len(sent))
    at = {(one.partition, one.offset): one.value for one in read}
    assert len(read) == len(sent)
    assert [at[outcome] for outcome in outcomes] == [message.value for message in sent[1:]]
    for partition in range(2):
        offsets = [one.offset for one in outcomes if one.partition == partition]
        assert offsets == sorted(offsets)


async def test_what_is_too_large_for_its_topic_is_refused(apache, produce):
    """Those beside it may be refused with it, in the client's own words; all are sent again, and come."""
    topic = apache.new_topic(partitions=1, **{"max.message.bytes": "3000"})
    producer = produce(apache)
    sent = [Message(topic, b"k", os.urandom(5_000 if n == 10 else 400)) for n in range(20)]
    await producer.send(sent[:1])
    outcomes = await producer.send(sent)
    assert isinstance(outcomes[10], Refused)
    again = await producer.send([message for n, message in enumerate(sent) if n != 10])
    assert {type(outcome) for outcome in again} == {Placed}
