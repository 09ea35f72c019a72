"""What a consumer has been asked to commit, until it is committed or cannot be any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Set
from typing import NamedTuple

from delivery.kafka.records import Partition

Answer = Callable[[str | None], None]


class Asked(NamedTuple):
    """One call: its offsets, and who is told what became of it."""

    offsets: Mapping[Partition, int]
    answer: Answer


class Commits:
    """Asked for on the loop, made by the thread that owns the client: what has gathered meanwhile is one commit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: list[Asked] = []
        self._closed: str | None = None

    def ask(self, offsets: Mapping[Partition, int], answer: Answer) -> None:
        with self._lock:
            why = self._closed
            if why is None:
                self._asked.append(Asked(offsets, answer))
        if why is not None:
            answer(why)

    def take(self, owned: Set[Partition]) -> list[Asked]:
        """All that is asked for and still may be; the others are answered."""
        with self._lock:
            asked, self._asked = self._asked, []
        kept = []
        for one in asked:
            lost = sorted(one.offsets.keys() - owned)
            if lost:
                one.answer(f"{', '.join(map(str, lost))} is not ours any more")
            else:
                kept.append(one)
        return kept

    def put_back(self, asked: list[Asked]) -> None:
        """They are for the next one."""
        with self._lock:
            self._asked = asked + self._asked

    def close(self, why: str) -> None:
        """Nothing is committed from here on; who waits for it is answered."""
        with self._lock:
            asked, self._asked, self._closed = self._asked, [], why
        for one in asked:
            one.answer(why)


def joined(asked: list[Asked]) -> dict[Partition, int]:
    """The furthest offset of each partition."""
    furthest: dict[Partition, int] = {}
    for one in asked:
        for partition, offset in one.offsets.items():
            furthest[partition] = max(offset, furthest.get(partition, 0))
    return furthest
