"""Places for requests that may grow old: taken by those that have, and by those of webhooks that may hang.

A webhook hangs when one of its requests grew old, and none was answered quickly since; it is new when nothing is known
of it. Those that hang leave a quarter of the places to those that are new, and both together leave a quarter of the
young requests to those that are quick. Who finds no place waits, is let in when one is free, in their order, or at once
when their standing is better by then.
"""

from __future__ import annotations

from collections import deque

from delivery.rows import HANGING, NEW, QUICK, Lane, Row


class Places:
    """Counts who takes a place, and keeps the lanes that wait for one."""

    __slots__ = ("_waiting", "n_waiting", "old", "places_max", "suspects", "suspects_max")

    def __init__(self, places_max: int, young_max: int) -> None:
        self.places_max = places_max
        self.suspects_max = max(young_max * 3 // 4, 1)
        self.old = self.suspects = 0
        """Requests that have grown old, and young ones that take a place because they may."""
        self._waiting: dict[int, deque[Lane]] = {NEW: deque(), HANGING: deque()}
        self.n_waiting = 0

    def room(self, standing: int) -> int:
        """How many more requests those of this standing may have under way; QUICK needs no place."""
        kept = self.places_max // 4 if standing == HANGING else 0
        return max(min(self.places_max - kept - self.old, self.suspects_max) - self.suspects, 0)

    def wait(self, lane: Lane) -> None:
        """The lane has its turn again when there is room."""
        lane.in_turn = True
        self._waiting[lane.standing].append(lane)
        self.n_waiting += 1

    def let_in(self, turn: deque[Lane]) -> bool:
        """Let as many lanes have their turn as there is room for; whether anybody has it now."""
        for standing, waiting in self._waiting.items():
            for _ in range(min(self.room(standing), len(waiting))):
                turn.append(waiting.popleft())
                self.n_waiting -= 1
        return bool(turn)

    def acquit(self, lane: Lane, turn: deque[Lane]) -> None:
        """The lane has been quick: it needs no place any more."""
        lane.standing = QUICK
        for waiting in self._waiting.values():
            if lane in waiting:
                waiting.remove(lane)
                self.n_waiting -= 1
                turn.append(lane)

    def suspect(self, row: Row) -> None:
        """A request takes a place from its start."""
        row.is_suspect = True
        self.suspects += 1

    def grow_old(self, row: Row, lane: Lane) -> None:
        """A request has grown old."""
        lane.standing = HANGING
        row.is_old = True
        self.old += 1
        self._no_suspect(row)

    def leave(self, row: Row) -> None:
        """A request has come to its end."""
        if row.is_old:
            row.is_old = False
            self.old -= 1
        self._no_suspect(row)

    def _no_suspect(self, row: Row) -> None:
        if row.is_suspect:
            row.is_suspect = False
            self.suspects -= 1
