"""A client that writes what kafka-python's own would not: names of headers that are no text, and nulls everywhere."""

from __future__ import annotations

from contextlib import closing

from kafka import KafkaProducer
from kafka.record.default_records import DefaultRecordBatchBuilder


class OddName(str):
    """A header's name whose bytes are not those of its text."""

    __slots__ = ("raw",)

    def __new__(cls, raw: bytes) -> OddName:
        made = super().__new__(cls, raw.decode(errors="replace"))
        made.raw = raw
        return made

    def encode(self, *_words):
        return self.raw


NULL = b"\x00what is written as null, where kafka-python asks for bytes"
_APPEND = DefaultRecordBatchBuilder.append


def _append(builder, offset, timestamp, key, value, headers, *rest, **words):
    headers = [(name, _or_none(text)) for name, text in headers]
    return _APPEND(builder, offset, timestamp, key, _or_none(value), headers, *rest, **words)


def _or_none(said):
    return None if said == NULL else said


def put(
    address: str, topic: str, records: list[tuple[bytes | None, bytes | None, list]], **words: object
) -> list[tuple[int, int]]:
    """Each is a key, a value, and headers; they are written in their order. Returned is where
    each stands, its partition and offset; *words* are for kafka-python."""
    DefaultRecordBatchBuilder.append = _append
    try:
        settings = {"max_request_size": 64 * 1024 * 1024, "linger_ms": 5, "acks": "all", **words}
        with closing(KafkaProducer(bootstrap_servers=address, **settings)) as producer:
            sent = [producer.send(topic, value, key, headers) for key, value, headers in records]
            producer.flush(60)
            placed = [one.get(60) for one in sent]
            return [(one.partition, one.offset) for one in placed]
    finally:
        DefaultRecordBatchBuilder.append = _APPEND
