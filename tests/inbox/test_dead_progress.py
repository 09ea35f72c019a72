"""Which letters were retried, as it is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from delivery.dead.progress import PROGRESS_BYTES_MAX, Progress, progress_of

OFFSETS = st.integers(0, 60)
STRETCHES = st.lists(st.tuples(OFFSETS, OFFSETS).map(lambda pair: tuple(sorted(pair))), max_size=12)


@given(st.lists(STRETCHES, max_size=4), OFFSETS, OFFSETS)
def test_it_knows_what_it_was_told(calls, begin, end):
    """As a set of offsets would, also when it was written and read between two calls."""
    begin, end = sorted((begin, end))
    progress, known = Progress(), set[int]()
    for stretches in calls:
        progress = progress.and_also(stretches)
        known |= {offset for since, to in stretches for offset in range(since, to)}
        progress = progress_of(progress.offset, progress.text())
    assert {offset for offset in range(70) if progress.has(offset)} == known
    assert all(since < to for since, to in progress.stretches)
    assert progress.waiting(begin, end) == sum(offset not in known for offset in range(begin, end))


def test_a_text_has_room_and_what_does_not_fit_is_forgotten():
    """The nearest stretches are kept, and nothing is known that is not so."""
    told = [(number * 200 + 50, number * 200 + 150) for number in range(3_000)]
    progress = Progress().and_also(told)
    text = progress.text()
    assert PROGRESS_BYTES_MAX - 10 < len(text) <= PROGRESS_BYTES_MAX
    kept = progress_of(0, text).stretches
    assert kept == tuple(told[: len(kept)])
    assert len(kept) > 400


@given(st.text(st.sampled_from("0123456789 x-")))
def test_any_text_is_read(text):
    """Whoever wrote it: it never means less than its offset."""
    assert progress_of(7, text).has(6)
