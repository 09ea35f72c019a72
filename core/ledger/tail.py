"""The newest recorded events, still in memory, as the objects they were."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.ledger.unit import Appended, Body, Recorded, Unit
from core.limits import TAIL_BYTES_MAX, TAIL_EVENTS_MAX


class Segment(NamedTuple):
    """What one commit added after `previous`: events in order, and the bodies beside them by position."""

    previous: int
    last: int
    events: list[Recorded]
    bodies: dict[int, Body]


def segment_of(units: Iterable[Unit], appended: Appended) -> Segment:
    """What a commit of *units* added; nothing of those that were refused."""
    events: list[Recorded] = []
    bodies: dict[int, Body] = {}
    # A named tuple's own constructor takes twice as long, and this runs for every recorded event.
    new, add = tuple.__new__, events.append
    for unit, answer in zip(units, appended.answers, strict=True):
        if type(answer) is int:
            position = answer
            for body in unit.bodies:
                bodies[position + body.entry] = body
            for stream, version, event in unit.entries:
                add(new(Recorded, (position, stream, version, event)))
                position += 1
    return Segment(appended.previous, appended.last, events, bodies)


class Tail:
    """Segments without a gap between them, bounded by their events and bytes."""

    def __init__(self, events_max: int = TAIL_EVENTS_MAX, bytes_max: int = TAIL_BYTES_MAX) -> None:
        self._segments: deque[Segment] = deque()
        self._events_max, self._bytes_max = events_max, bytes_max
        self._events = self._bytes = 0

    def add(self, segment: Segment) -> None:
        if self._segments and self._segments[-1].last != segment.previous:
            self._segments.clear()
            self._events = self._bytes = 0
        self._segments.append(segment)
        self._events += len(segment.events)
        self._bytes += _bytes(segment)
        while len(self._segments) > 1 and (self._events > self._events_max or self._bytes > self._bytes_max):
            oldest = self._segments.popleft()
            self._events -= len(oldest.events)
            self._bytes -= _bytes(oldest)

    def after(self, position: int) -> Sequence[Segment] | None:
        """All segments after *position*, the first beginning exactly there; None when memory does not reach back."""
        if not self._segments or self._segments[-1].last <= position:
            return ()
        found: list[Segment] = []
        for segment in reversed(self._segments):
            found.append(segment)
            if segment.previous == position:
                return found[::-1]
        return None


def _bytes(segment: Segment) -> int:
    return sum(len(body.data) + len(body.payload or b"") for body in segment.bodies.values())
