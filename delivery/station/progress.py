"""How far a worker has come in one partition: up to the first record of which something is still to be done; pure."""

from __future__ import annotations

from collections import deque


class Place:
    """One record, and how much of what it holds is still to be done."""

    __slots__ = ("left", "offset", "progress")

    def __init__(self, progress: Progress, offset: int, left: int) -> None:
        self.progress, self.offset, self.left = progress, offset, left

    def leave(self) -> None:
        """One part of it is done."""
        self.left -= 1
        if not self.left:
            self.progress.advance()


class Progress:
    """Records of one partition, taken in their order and done in any."""

    __slots__ = ("_places", "committed", "done")

    def __init__(self) -> None:
        self._places: deque[Place] = deque()
        self.done: int | None = None
        """The offset behind the records that are done without a gap; None: there is none of which that is known."""
        self.committed: int | None = None
        """The same as it was when it was committed the last time."""

    def take(self, offset: int, parts: int) -> Place:
        """A record of so many parts; one without any is done at once."""
        place = Place(self, offset, parts)
        self._places.append(place)
        if not parts:
            self.advance()
        return place

    def advance(self) -> None:
        places = self._places
        while places and not places[0].left:
            self.done = places.popleft().offset + 1

    def to_commit(self) -> int | None:
        """What is to be committed now; None: nothing that was not."""
        return None if self.done == self.committed else self.done
