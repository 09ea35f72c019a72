"""How many deliveries of one webhook may be under way."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from core.limits import WINDOW_MAX, WINDOW_START
from delivery.window import Window

ANSWERS = st.lists(st.sampled_from(["good"] * 8 + ["bad"]), max_size=400)


def after(answers, window=None):
    """The window after these answers."""
    window = window or Window()
    for answer in answers:
        if answer == "good":
            window.grow()
        else:
            window.shrink()
    return window


def test_a_window_starts_small_and_opens_with_each_good_answer():
    """A webhook that never failed has the whole window after as many good answers as it is wide."""
    assert Window().size == WINDOW_START
    assert after(["good"] * 10).size == WINDOW_START + 10
    assert after(["good"] * (WINDOW_MAX - WINDOW_START)).size == WINDOW_MAX


@given(ANSWERS)
def test_a_window_stays_within_its_bounds(answers):
    """Whatever comes, one request may be made, and never more than the limit."""
    window = Window()
    for answer in answers:
        before = window.size
        after([answer], window)
        assert 1 <= window.size <= WINDOW_MAX
        assert window.size == 1 if answer == "bad" else window.size in (before, before + 1)


@given(ANSWERS)
def test_a_window_of_good_answers_always_opens_it(answers):
    """As many good answers as the window is wide make it wider, until it is as wide as can be."""
    window = after(answers)
    before = window.size
    after(["good"] * before, window)
    assert window.size >= min(before + 1, WINDOW_MAX)


@given(ANSWERS, st.integers(1, WINDOW_MAX))
def test_a_bad_answer_halves_how_far_it_opens_quickly(answers, more):
    """After a bad answer the window opens quickly to half of what it was, and slowly from there; those that were bad
    with it change nothing."""
    window = after(answers)
    assume(window.size > 1)
    half = max(window.size // 2, 2)
    after(["bad"] * more, window)
    assert after(["good"] * (half - 1), window).size == half
    assert after(["good"] * (half - 1), window).size == half
    assert after(["good"], window).size == min(half + 1, WINDOW_MAX)


def test_there_is_room_until_the_window_is_full():
    """A window that shrinks under what is under way has no room until enough of it has ended."""
    window = Window()
    window.under_way = WINDOW_START - 1
    assert window.has_room
    window.under_way += 1
    assert not window.has_room
    window.shrink()
    window.under_way = 1
    assert not window.has_room
    window.under_way = 0
    assert window.has_room
