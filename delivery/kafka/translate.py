"""From kafka-python's words to ours, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from delivery.kafka.commits import Asked, joined
from delivery.kafka.records import Partition, Record


def partitions_of(theirs: Iterable[Any]) -> frozenset[Partition]:
    return frozenset(Partition(one.topic, one.partition) for one in theirs)


def record_of(one: Any) -> Record:
    headers = tuple(one.headers)
    return Record(one.topic, one.partition, one.offset, one.key, one.value, headers, one.timestamp)


def offsets_of(asked: list[Asked]) -> dict[Any, Any]:
    return {
        TopicPartition(partition.topic, partition.number): OffsetAndMetadata(offset, "", -1)
        for partition, offset in joined(asked).items()
    }


def answer_all(asked: list[Asked], why: str | None) -> None:
    for one in asked:
        one.answer(why)
