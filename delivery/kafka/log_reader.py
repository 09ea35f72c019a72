"""All that a topic holds now, read without being a member of a group; one thread has it, and waits for it.

What a group has committed is read and written all the same: kafka-python takes commits for a group that has no members.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from core.errors import HookledgerError, NotFoundError
from delivery.kafka.client import opened, text_of
from delivery.kafka.reading import record_of
from delivery.kafka.records import Record
from delivery.kafka.settings import Settings

LOG_READ_BYTES_MAX = 8 * 1024 * 1024
"""Of records fetched at once; one that is larger comes alone."""
LOG_READ_RECORDS_MAX = 200
"""Records handed out at once."""
LOG_READ_S = 15.0
"""How long a broker may not answer; then it is an error."""
POLL_MS = 200
"""How long one look for records waits for some."""

Stretch = tuple[int, int]
"""From an offset up to another, which is not in it."""


class LogReader:
    """One topic, and how far a *group* has come in it. Every call may say HookledgerError: no broker answers."""

    def __init__(self, settings: Settings, topic: str, group: str) -> None:
        """NotFoundError where there is no such topic."""
        self._servers, self._topic = ", ".join(settings.servers), topic
        arguments = {
            **settings.consumer(),
            "group_id": group,
            "fetch_max_bytes": LOG_READ_BYTES_MAX,
            "max_poll_records": LOG_READ_RECORDS_MAX,
        }
        with self._said():
            self._client, _ = opened(KafkaConsumer, arguments)
        try:
            self._partitions = self._found()
        except BaseException:  # whatever it was, nothing stays open
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._said():
            self._client.close(autocommit=False, timeout_ms=round(LOG_READ_S * 1000))

    def topics(self) -> frozenset[str]:
        """All that there are on these brokers."""
        with self._said():
            return frozenset(self._client.topics())

    def stretches(self) -> dict[int, Stretch]:
        """Where each partition begins, and ends."""
        limit = round(LOG_READ_S * 1000)
        with self._said():
            begin = self._client.beginning_offsets(self._partitions, timeout_ms=limit)
            end = self._client.end_offsets(self._partitions, timeout_ms=limit)
        return {one.partition: (begin[one], end[one]) for one in self._partitions}

    def committed(self) -> dict[int, tuple[int, str]]:
        """The offset of each partition, and the text beside it; what was never committed is not there."""
        found = {}
        with self._said():
            for one in self._partitions:
                at = self._client.committed(one, metadata=True, timeout_ms=round(LOG_READ_S * 1000))
                if at is not None and at.offset >= 0:
                    found[one.partition] = (at.offset, at.metadata or "")
        return found

    def commit(self, offsets: Mapping[int, tuple[int, str]]) -> None:
        asked = {
            TopicPartition(self._topic, number): OffsetAndMetadata(offset, text, -1)
            for number, (offset, text) in offsets.items()
        }
        with self._said():
            self._client.commit(asked, timeout_ms=round(LOG_READ_S * 1000))

    def read(self, stretches: Mapping[int, Stretch]) -> Iterator[list[Record]]:
        """The records of these stretches, a few at a time, each time of one partition and in its order."""
        ends = {TopicPartition(self._topic, number): end for number, (begin, end) in stretches.items() if begin < end}
        with self._said():
            self._client.assign(list(ends))
            for place in ends:
                self._client.seek(place, stretches[place.partition][0])
        until = time.monotonic() + LOG_READ_S
        while ends:
            with self._said():
                polled = self._client.poll(POLL_MS)
                done = [place for place, end in ends.items() if self._client.position(place, POLL_MS) >= end]
                self._client.pause(*done)
            for place, records in polled.items():
                if some := [record_of(one) for one in records if one.offset < ends[place]]:
                    yield some
            for place in done:
                del ends[place]
            if polled or done:
                until = time.monotonic() + LOG_READ_S
            elif time.monotonic() > until:
                raise HookledgerError(self._silent())

    def _found(self) -> list[Any]:
        with self._said():
            numbers = self._client.partitions_for_topic(self._topic)
        if not numbers:
            raise NotFoundError(f"there is no topic {self._topic} at {self._servers}")
        return [TopicPartition(self._topic, number) for number in sorted(numbers)]

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What kafka-python says no with, in one line."""
        try:
            yield
        except KafkaTimeoutError:
            raise HookledgerError(self._silent()) from None
        except (KafkaError, OSError, ValueError, RuntimeError) as error:
            raise HookledgerError(f"Kafka at {self._servers} says no: {text_of(error)}") from None

    def _silent(self) -> str:
        return f"no broker answers at {self._servers}"
