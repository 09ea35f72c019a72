"""Whose turn it is: units in their order, and those who want to be alone ahead of them, but not for ever."""

from __future__ import annotations

from core.ledger.queue import Queue, Wish
from core.ledger.unit import Unit
from tests.builders import neutral


def nobody(_answers):
    """Hears of it."""


def submitted(number):
    return [Unit([neutral(number)])], nobody


WISHES = [Wish([], lambda _taken: [], nobody) for _ in range(4)]


def test_wishes_go_ahead_but_not_twice_in_a_row():
    """Whoever waits behind them has a turn between."""
    queue = Queue(units_max=2)
    for number in range(3):
        queue.add(*submitted(number))
    queue.add_wish(WISHES[0])
    queue.add_wish(WISHES[1])
    assert queue.next_wishes() == WISHES[:2]
    queue.add_wish(WISHES[2])
    assert queue.next_wishes() == []
    assert queue.next_units() == [submitted(0), submitted(1)]
    assert queue.next_wishes() == [WISHES[2]]
    queue.add_wish(WISHES[3])
    assert queue.next_wishes() == []
    assert queue.next_units() == [submitted(2)]
    assert queue
    assert queue.next_wishes() == [WISHES[3]]
    assert not queue
    assert (queue.next_wishes(), queue.next_units()) == ([], [])


def test_wishes_do_not_wait_for_nobody():
    """Where nothing else waits, one follows the other."""
    queue = Queue(units_max=2)
    for wish in WISHES:
        queue.add_wish(wish)
        assert queue.next_wishes() == [wish]
