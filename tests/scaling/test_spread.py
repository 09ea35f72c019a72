"""The sums of docs/scaling.md rest on how evenly work spreads; here that is held against what must be so."""

from __future__ import annotations

import pytest

from tests.scaling.spread import SHARE_MAX, busiest, cells_share, workers_share, zipf


@pytest.mark.parametrize("count", [10, 100, 10_000])
def test_shares_are_of_one_whole_and_none_is_above_its_limit(count):
    """Where they are too few for the limit, they are equal."""
    shares = zipf(count)
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] <= max(SHARE_MAX, 1 / count) * 1.05


def test_the_busiest_has_at_least_the_average():
    """And exactly that, where it is alone."""
    shares = zipf(500)
    assert busiest([2.0, 2.0]) == 1
    assert workers_share(shares, 12, 1, 5) == cells_share(shares, 1, 0) == pytest.approx(1)
    assert 1 < workers_share(shares, 12, 4, 5) < 4
    assert 1 < cells_share(shares, 4, 0) < 4
