"""How much lies before a member of a group: what its partitions have, and is not committed yet."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from kafka.errors import IllegalStateError

LOOK_S = 1.0
"""How often it is counted."""


class Lag:
    """Counted by the thread that owns the client, from what it knows anyway; `records` may be read by any."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.records: Mapping[str, int] = dict.fromkeys(topics, 0)
        self._done: dict[Any, int] = {}
        """Of each partition, by kafka-python's name of it: up to where it is done with."""
        self._looked = 0.0

    def committed(self, offsets: Mapping[Any, Any]) -> None:
        """In kafka-python's words."""
        self._done.update({partition: said.offset for partition, said in offsets.items()})

    def look(self, consumer: Any, polled: Mapping[Any, Any]) -> None:
        """*polled* is what has just been read: a partition's first offset was not committed before."""
        for partition, records in polled.items():
            self._done.setdefault(partition, records[0].offset)
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        assigned = consumer.assignment()
        # Another member goes on with what is not ours any more; if it comes back, it begins where that one ended.
        self._done = {partition: done for partition, done in self._done.items() if partition in assigned}
        records = dict.fromkeys(self.records, 0)
        for partition, done in self._done.items():
            # One may be taken from us just now.
            with suppress(IllegalStateError, KeyError):
                end = consumer.highwater(partition)
                if end is not None:
                    records[partition.topic] += max(end - done, 0)
        self.records = records
