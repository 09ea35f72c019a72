"""Which dead letters of a partition were retried: all up to an offset, and stretches behind it. Pure.

Kafka keeps it as a group's committed offset, with a text beside it for the stretches: how many letters were not
retried, how many were, how many were not, and so on, from that offset on.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

PROGRESS_BYTES_MAX = 4_000
"""Of that text: brokers take 4,096. Stretches beyond it are forgotten, and their letters retried once more."""

Stretch = tuple[int, int]
"""From an offset up to another, which is not in it."""


class Progress(NamedTuple):
    """All before `offset`, and all in the stretches behind it, which are in order and do not touch."""

    offset: int = 0
    stretches: tuple[Stretch, ...] = ()

    def has(self, offset: int) -> bool:
        return offset < self.offset or any(begin <= offset < end for begin, end in self.stretches)

    def waiting(self, begin: int, end: int) -> int:
        """How many from *begin* to *end* were not retried."""
        done = [(0, self.offset), *self.stretches]
        return end - begin - sum(max(min(end, to) - max(begin, since), 0) for since, to in done)

    def and_also(self, more: Iterable[Stretch]) -> Progress:
        """With these as well."""
        merged: list[Stretch] = [(0, self.offset)]
        for begin, end in sorted(chain(self.stretches, more)):
            since, to = merged[-1]
            if begin <= to:
                merged[-1] = (since, max(end, to))
            elif begin < end:
                merged.append((begin, end))
        return Progress(merged[0][1], tuple(merged[1:]))

    def text(self) -> str:
        """The stretches, as far as there is room for them."""
        edges = [self.offset, *chain(*self.stretches)]
        words = [f"{after - before}" for before, after in pairwise(edges)]
        sizes = accumulate(len(word) + 1 for word in words)
        fitting = sum(size <= PROGRESS_BYTES_MAX for size in sizes)
        return " ".join(words[: fitting - fitting % 2])


def progress_of(offset: int, text: str) -> Progress:
    """What `text` wrote. A text of another kind says nothing."""
    words = text.split()
    if len(words) % 2 or not all(word.isdecimal() and word.isascii() for word in words):
        return Progress(offset)
    edges = list(accumulate(map(int, words), initial=offset))[1:]
    return Progress(offset).and_also(zip(edges[::2], edges[1::2], strict=True))
