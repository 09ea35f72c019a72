"""What waits for a commit, and whose turn it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from core.errors import HookledgerError
from core.ledger.unit import Answer, Claim, Unit
from core.limits import COMMIT_EVENTS_MAX

OnAnswers = Callable[[list[Answer] | HookledgerError], None]
Make = Callable[[Mapping[Claim, int | None]], Sequence[Unit]]
"""Makes units of the directory as it is when it is called. It is told which of its claims are taken, with the position
of the event that holds them; None: by a unit that was made for the same commit."""
Submitted = tuple[Sequence[Unit], OnAnswers]


class Wish(NamedTuple):
    """To be asked for units while nobody else can append; those that want one of *claims*, or none."""

    claims: Sequence[Claim]
    make: Make
    on_answers: OnAnswers


class Queue:
    """Units, in the order in which they came, and wishes to be made alone: ahead of them, but not twice in a row."""

    def __init__(self, units_max: int) -> None:
        self._units_max = units_max
        self._submitted: deque[Submitted] = deque()
        self._wishes: list[Wish] = []
        self._is_their_turn = True

    def __bool__(self) -> bool:
        return bool(self._submitted or self._wishes)

    @property
    def n_units(self) -> int:
        """Units that wait; what wishes come to is not known yet."""
        return sum(len(units) for units, _ in self._submitted)

    def add(self, units: Sequence[Unit], on_answers: OnAnswers) -> None:
        self._submitted.append((units, on_answers))

    def add_wish(self, wish: Wish) -> None:
        self._wishes.append(wish)

    def next_wishes(self) -> list[Wish]:
        """All of them, for one commit; none where there are none, or where units have their turn first."""
        if not self._is_their_turn and self._submitted:
            return []
        wishes, self._wishes = self._wishes, []
        self._is_their_turn = not wishes
        return wishes

    def next_units(self) -> list[Submitted]:
        """As many as one commit takes; who came with several is not parted."""
        some: list[Submitted] = []
        n_units = n_events = 0
        while self._submitted and n_units < self._units_max and n_events < COMMIT_EVENTS_MAX:
            units, on_answers = self._submitted.popleft()
            some.append((units, on_answers))
            n_units += len(units)
            n_events += sum([len(unit.entries) for unit in units])
        self._is_their_turn = True
        return some
