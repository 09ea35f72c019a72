"""Records that a consumer has read, and nobody has taken yet: from its thread to the loop, and never too many."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Set

from delivery.kafka.records import Partition, Record


class ReadAhead:
    """Full at *records_max* or *bytes_max*, and until half of that is taken; it does not itself refuse more."""

    def __init__(self, records_max: int, bytes_max: int) -> None:
        self._records_max, self._bytes_max = records_max, bytes_max
        self._lock = threading.Lock()
        self._batches: deque[tuple[list[Record], int]] = deque()
        self._records = self._bytes = 0
        self._was_full = False

    @property
    def records(self) -> int:
        return self._records

    def put(self, records: list[Record]) -> None:
        with self._lock:
            self._add(records)

    def take(self) -> list[Record]:
        """All that is there, in its order."""
        with self._lock:
            batches, self._batches = self._batches, deque()
            self._records = self._bytes = 0
        return [record for records, _ in batches for record in records]

    def forget(self, partitions: Set[Partition]) -> None:
        """Records of these are for who has them next."""
        with self._lock:
            batches, self._batches = self._batches, deque()
            self._records = self._bytes = 0
            for records, _ in batches:
                if kept := [record for record in records if record.place not in partitions]:
                    self._add(kept)

    def is_full(self) -> bool:
        parts = 2 if self._was_full else 1
        with self._lock:
            self._was_full = self._records * parts >= self._records_max or self._bytes * parts >= self._bytes_max
        return self._was_full

    def _add(self, records: list[Record]) -> None:
        size = sum(len(record.key or b"") + len(record.value or b"") for record in records)
        self._batches.append((records, size))
        self._records += len(records)
        self._bytes += size
