"""Records that kafka-python's own client does not write, and others do."""

from __future__ import annotations

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError

from delivery.kafka.ahead import ReadAhead
from delivery.kafka.records import Message, Placed, Record, Refused
from tests.brokers.odd_client import NULL, OddName, put


@pytest.mark.parametrize("compression", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_what_is_no_text_holds_up_nobody(apache, consume, compression):
    """The name of a header may be any bytes, and a null any value: all is read, and what follows as well."""
    topic = apache.new_topic(partitions=1)
    odd = [
        (b"a", b"1", [(OddName(b"\xff\xfe-name"), b"x"), ("plain", b"y")]),
        (b"b", b"2", [("null", NULL)]),
        (None, NULL, []),
        (b"c", b"3", [("n\u00e4me", b"\xff")]),
    ]
    put(apache.address, topic, odd, compression_type=compression)
    read = await consume(apache, topic).take(4)
    assert [(record.key, record.value, record.headers) for record in read] == [
        (b"a", b"1", (("\\xff\\xfe-name", b"x"), ("plain", b"y"))),
        (b"b", b"2", (("null", b""),)),
        (None, None, ()),
        (b"c", b"3", (("n\u00e4me", b"\xff"),)),
    ]


async def test_what_is_too_large_says_so_as_a_fact(apache, produce):
    """Whether the client finds it, or the broker, of all that was sent together; what is wrong otherwise does not."""
    topic, small = apache.new_topic(partitions=1), apache.new_topic(partitions=1, **{"max.message.bytes": "2000"})
    producer = produce(apache)
    good = Message(small, b"k", b"v")
    outcomes = await producer.send([Message(topic, b"k", b"x" * 2_000_000), good._replace(topic="no topic"), good])
    assert [type(outcome) for outcome in outcomes] == [Refused, Refused, Placed]
    assert [outcome.is_too_large for outcome in outcomes[:2]] == [True, False]
    (by_broker,) = await producer.send([good._replace(value=b"x" * 5_000)])
    assert by_broker.is_too_large
    assert await producer.send([good]) == [Placed(0, 1)]


def test_headers_are_bytes_as_well():
    """What is read ahead, and what waits to be written, is bounded by all that it holds."""
    headers = tuple((f"h{n}", b"x" * 98) for n in range(10))
    ahead = ReadAhead(100, 1_000)
    ahead.put([Record("t", 0, 0, None, None, headers, 0)])
    assert ahead.is_full()
    assert Message("t", b"k", b"vv", headers).size == 1_003


async def test_what_a_portal_took_back_is_not_read(apache, consume, produce):
    """Records of a transaction that was aborted are none; those of one that was committed are."""
    topic = apache.new_topic(partitions=1)
    writer = KafkaProducer(bootstrap_servers=apache.address, transactional_id="portal", linger_ms=0)
    try:
        writer.init_transactions()
        for value, end in ((b"taken back", writer.abort_transaction), (b"kept", writer.commit_transaction)):
            writer.begin_transaction()
            writer.send(topic, value, b"k").get(20)
            end()
    except KafkaError as error:
        raise AssertionError(error) from error
    finally:
        writer.close()
    await produce(apache).send([Message(topic, b"k", b"last")])
    read = await consume(apache, topic).take(2)
    assert [record.value for record in read] == [b"kept", b"last"]
