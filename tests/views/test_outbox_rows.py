"""The outbox's rows are the same in a file and in a database."""

from __future__ import annotations

from contextlib import closing

import pytest

from delivery import outbox_table
from delivery.outbox_table import Batch, Due, Moved, Want
from tests.builders import Books

D, E = b"d" * 16, b"e" * 16


def batch(**given):
    empty = {"inserted": {}, "values": [], "moved": {}, "late": {}, "deleted": {}, "lanes": [], "reactions": {}}
    return Batch(**empty | given)


BATCHES = (
    # More rows than one statement inserts, of two webhooks.
    batch(values=[value for n in range(1, 101) for value in (n, 7 + n % 2, D, E, 1, 1, 1_000 + n, None, None)],
          lanes=[(7, None, 500, 0), (8, 900, None, 2_000)], reactions={7: ("gone", 40), 8: ("failing", 41)}),
    batch(moved={n: Moved(n, 2, 2, 3_000 + n, 1_500, "it said 500", 7 + n % 2) for n in range(1, 5)},
          late={6: 5}, deleted=dict.fromkeys((5, *range(9, 101))), reactions={7: None, 8: ("failing", 43)}),
    # A row that was there before, a lane that is there, and a clock that was set back.
    batch(values=[5, 8, D, E, 3, 2, 1_700, 1_600, "naïve"], lanes=[(8, 950, None, 50)], shift_ms=-100),
)  # fmt: skip


@pytest.fixture(name="outbox")
def _outbox(tmp_path, store):
    with Books(tmp_path) as books:
        views = store.open(books.recorder)
        with closing(views):
            views.begin(outbox_table.NAME, outbox_table.TABLES)
            for position, one in enumerate(BATCHES):
                views.write(outbox_table.NAME, position, position + 1, lambda c, one=one: outbox_table.write(c, one))
            yield views, books.reader
        store.clear(books.recorder)


def test_rows_after_every_kind_of_change(outbox):
    """Rows that came, came again, moved, went, and were shifted with the clock."""
    views, _ = outbox
    moved = [(n, 7 + n % 2, D, E, 2, 2, 2_900 + n, 1_500, "it said 500") for n in range(1, 5)]
    rest = [
        (5, 8, D, E, 3, 2, 1_700, 1_600, "naïve"),
        (6, 7, D, E, 5, 1, 906, None, None),
        (7, 8, D, E, 1, 1, 907, None, None),
        (8, 7, D, E, 1, 1, 908, None, None),
    ]
    assert views.rows("SELECT * FROM outbox_1 ORDER BY number") == moved + rest
    assert sorted(views.rows("SELECT * FROM outbox_webhooks_1")) == [(7, None, 400, 0), (8, 950, None, 50)]
    assert outbox_table.reactions(views) == {8: ("failing", 43)}


def test_what_is_asked_of_them(outbox):
    """How many are due, and those of one webhook in the order in which they are, from any of them on."""
    views, reader = outbox
    assert outbox_table.count(views) == 8
    assert outbox_table.due(views, 1_000) == {7: Due(2, 906), 8: Due(1, 907)}
    assert [number for number, _, _ in outbox_table.numbers_of(views, 8, 9)] == [7, 5, 1, 3]
    lanes = {lane.number: (lane.open, lane.held_until, lane.last_success) for lane in outbox_table.lanes(views, 1)}
    assert lanes == {7: (4, 0, None), 8: (4, 50, 950)}
    stocked = outbox_table.stock(views, reader, [Want(8, 2, (907, 7)), Want(7, 9, (0, 0))], 2_902)
    assert {webhook: [row.number for row in stock.rows] for webhook, stock in stocked.items()} == {
        8: [5, 1],
        7: [6, 8, 2],
    }
    assert [(stock.has_more, stock.wake_at) for stock in stocked.values()] == [(True, 2_903), (False, 2_904)]
