"""Offsets are committed up to the first record of which something is still to be done, and never back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from delivery.station.progress import Progress


@given(st.data())
def test_it_is_behind_all_that_is_done_and_before_all_that_is_not(data):
    """Records of any number of parts, taken in order with gaps between, done in any order."""
    progress, offset = Progress(), data.draw(st.integers(0, 5))
    taken, open_parts = [], []
    for _ in range(data.draw(st.integers(0, 40))):
        if data.draw(st.booleans()) or not open_parts:
            parts = data.draw(st.integers(0, 3))
            place = progress.take(offset, parts)
            taken.append([offset, parts])
            open_parts += [(place, taken[-1])] * parts
            offset += data.draw(st.integers(1, 3))
        else:
            place, said = open_parts.pop(data.draw(st.integers(0, len(open_parts) - 1)))
            place.leave()
            said[1] -= 1
        done = next((n for n, (_, left) in enumerate(taken) if left), len(taken))
        assert progress.done == (taken[done - 1][0] + 1 if done else None)
        if data.draw(st.booleans()):
            said_now = progress.to_commit()
            assert said_now == (None if progress.committed == progress.done else progress.done)
            progress.committed = progress.done
