"""Puts many messages into a client's batches at once: what `KafkaProducer.send` does for each, at a fifth of its cost.

From there on they are batches like all others: kafka-python numbers them, sends them, tries again and splits them. What
is saved is a future, a lock and a search through the partitions for each record.
"""

# ruff: noqa: SLF001 -- kafka-python hides where its batches wait; setup.cfg pins its minor version

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from kafka import TopicPartition
from kafka.partitioner.default import murmur2
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.record.util import encode_varint

from core.clock import SystemClock
from delivery.kafka.records import Headers, Message

RECORD_BYTES = 12
"""Of a record, beside key, value and headers, at most: its length, its number, and two that are always 0."""
REMEMBERED = 65_536
"""Keys of which it is remembered where they go."""
FORMAT = 2
"""The form of batches that is known here; Kafka has had it since 0.11."""

Single = Callable[[int, Message], None]
"""Sends one message, the one at this place, in the client's own way."""


class Packed(ProducerBatch):  # type: ignore[misc]  # kafka-python tells no types
    """A batch that is whole from the beginning. `indices`: which messages its records are, in its order."""

    def __init__(self, place: TopicPartition, records: MemoryRecordsBuilder, indices: list[int], largest: int) -> None:
        super().__init__(place, records)
        self.indices = indices
        self.max_record_size = largest
        self._record_futures = _Slots(self)
        self.moved: dict[int, tuple[Any, int]] = {}
        """Of records that were put into a smaller batch: that one's future, and their number in it."""

    def try_append(self, *_: Any, **__: Any) -> None:
        """Nothing is added to it."""
        return

    def is_ended(self) -> bool:
        """Whether it is known what became of all its records."""
        return all(future.is_done for future in self.futures())

    def futures(self) -> set[Any]:
        """What is to be waited for."""
        # The thread that splits a batch may be about it.
        moved = tuple(self.moved.values())
        return {future for future, _ in moved} if moved else {self.produce_future}

    def ends(self) -> Iterator[tuple[int, int, int, Exception | None]]:
        """Of each record its message's index, the partition and its offset, or why it is not there."""
        partition = self.topic_partition.partition
        for number, index in enumerate(self.indices):
            future, at = self.moved.get(number) or (self.produce_future, number)
            base, _, error_of = future.value
            if error_of is None:
                yield index, partition, base + at, None
            else:
                yield index, partition, -1, error_of(at)


class _Slots:
    """Instead of a list with a future for each record: who splits a batch tells each where it went."""

    def __init__(self, batch: Packed) -> None:
        self._batch = batch

    def __len__(self) -> int:
        return len(self._batch.indices)

    def __getitem__(self, number: int) -> _Slot:
        if number >= len(self):
            raise IndexError(number)
        return _Slot(self._batch, number)


class _Slot:
    """One record of a batch that is split, and maybe split again."""

    def __init__(self, batch: Packed, number: int) -> None:
        self._batch, self._number = batch, number

    def rebind(self, future: Any, number: int) -> None:
        self._batch.moved[self._number] = (future, number)


class _Group:
    """Records on their way into one batch."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.indices: list[int] = []
        self.size = self.largest = 0


class Packer:
    """Of one client, for the thread that owns it."""

    def __init__(self, producer: Any) -> None:
        self._accumulator, self._cluster = producer._accumulator, producer._metadata
        config = self._accumulator.config
        self._attributes, self._batch_size = config["compression_attrs"], config["batch_size"]
        self._is_known = config["message_version"] == FORMAT
        self._bytes_max = min(self._batch_size, producer.config["max_request_size"] - 1_024)

    def pack(self, messages: Sequence[Message], single: Single) -> list[Packed]:
        """Put them where they are sent from. Those that cannot go so, because their topic is not known yet, they have
        no key, or are as large as a batch, are given to *single*. The order of each partition is kept."""
        groups: dict[tuple[str, int], _Group] = {}
        packed: list[Packed] = []
        known: str | None = None
        partitions: list[int] = []
        for index, message in enumerate(messages):
            topic, key, value, headers = message
            if topic != known:
                known, partitions = topic, self._partitions(topic)
            record = None if key is None or not partitions else _record(key, value, headers)
            if record is None or len(record) + RECORD_BYTES > self._bytes_max:
                packed += self._put(groups)
                groups, known = {}, None
                single(index, message)
                continue
            place = (topic, partitions[_hash(key) % len(partitions)])
            group = groups.get(place)
            size = len(record) + RECORD_BYTES
            if group is not None and group.size + size > self._bytes_max:
                packed += self._put({place: group})
                group = None
            if group is None:
                group = groups[place] = _Group()
            # Attributes, how much later than the first it is, and its number.
            record = b"\0\0" + _varint(len(group.records)) + record
            group.records.append(_varint(len(record)) + record)
            group.indices.append(index)
            group.size += size
            group.largest = max(group.largest, size)
        return packed + self._put(groups)

    def _partitions(self, topic: str) -> list[int]:
        """Nothing, where they are not known, or not to be packed for."""
        return sorted(self._cluster.partitions_for_topic(topic) or ()) if self._is_known else []

    def _put(self, groups: dict[tuple[str, int], _Group]) -> list[Packed]:
        return [self._put_one(TopicPartition(*place), group) for place, group in groups.items()]

    def _put_one(self, place: TopicPartition, group: _Group) -> Packed:
        accumulator, count = self._accumulator, len(group.records)
        records = MemoryRecordsBuilder(FORMAT, self._attributes, self._batch_size)
        builder = records._builder
        builder._buffer += b"".join(group.records)
        builder._first_timestamp = builder._max_timestamp = SystemClock().now_ms()
        builder._last_offset, builder._num_records = count - 1, count
        records._next_offset = count
        batch = Packed(place, records, group.indices, group.largest)
        accumulator._appends_in_progress.increment()
        try:
            with accumulator._tp_lock(place):
                accumulator._batches[place].append(batch)
                accumulator._incomplete.add(batch)
        finally:
            accumulator._appends_in_progress.decrement()
        return batch


def _record(key: bytes, value: bytes | None, headers: Headers) -> bytes:
    """The part of a record that is the same wherever it stands."""
    said = b"\1" if value is None else _varint(len(value)) + value
    return _varint(len(key)) + key + said + _headers(headers)


@lru_cache(256)
def _headers(headers: Headers) -> bytes:
    said = [_varint(len(headers))]
    for name, value in headers:
        encoded = name.encode()
        said += (_varint(len(encoded)), encoded, _varint(len(value)), value)
    return b"".join(said)


@lru_cache(4_096)
def _varint(number: int) -> bytes:
    buffer = bytearray()
    encode_varint(number, buffer.append)
    return bytes(buffer)


@lru_cache(REMEMBERED)
def _hash(key: bytes) -> int:
    """By this, and the number of partitions, all clients find the partition of a key."""
    return int(murmur2(key)) & 0x7FFFFFFF
