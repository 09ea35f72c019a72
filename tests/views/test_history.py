"""The history's rows are what the ledger says, however it is cut into batches."""

from __future__ import annotations

import msgspec
from hypothesis import given

from core.history import History
from core.history_entries import page, redeliveries, standings
from core.history_question import Wanted
from tests.views.following import CUTS, follow_in_pieces, rows_of
from tests.views.ledgers import STEPS, books_of
from tests.views.plain_fold import plain_fold, totals


def plain(entry):
    """An entry in the plain fold's words."""
    known = msgspec.structs.asdict(entry)
    known["requests"] = [msgspec.structs.astuple(request) for request in entry.requests]
    return known


def followed(store, books, cuts):
    store.clear(books.recorder)
    views = store.open(books.recorder)
    follow_in_pieces(books, views, lambda: History(books.reader), cuts)
    return views


@given(STEPS, CUTS)
def test_any_split_folds_to_what_plain_loops_find(store, steps, cuts):
    """Whatever happened, and wherever the batches begin, each delivery's row is what the plain fold makes of it."""
    with books_of(steps) as books:
        views = followed(store, books, cuts)
        expected = plain_fold(books.reader.after(0))
        found = page(views, books.reader, Wanted(), 1_000).entries
        assert [plain(entry) for entry in found] == [expected[number] for number in sorted(expected, reverse=True)]
        counted = standings(views, [known["webhook"] for known in expected.values()])
        assert {webhook: standing.totals for webhook, standing in counted.items()} == totals(expected)
        again = [(known["cause"].of, number) for number, known in sorted(expected.items()) if known["cause"]]
        assert redeliveries(views, expected) == {of: [n for o, n in again if o == of] for of, _ in again}
        views.close()


def test_many_deliveries_move_at_once(store):
    """Deliveries that are on disk are moved by the dozen, none of them left out, whatever their number."""
    steps = [("event", 0, 7)] * 40 + [("failed", 0, 6)] + [("delivered", 0, 0)] * 117
    with books_of(steps) as books:
        views = followed(store, books, [(3 + 40 * 4, 1, False)])
        expected = plain_fold(books.reader.after(0))
        found = page(views, books.reader, Wanted(), 1_000).entries
        assert {entry.number: plain(entry) for entry in found} == expected
        assert [entry.state for entry in found].count("delivered") == 117
        views.close()


@given(STEPS, CUTS)
def test_any_split_gives_equal_rows(store, steps, cuts):
    """Rows on disk are the same to the byte, whether the ledger was folded at once or in pieces, with restarts."""
    with books_of(steps) as books:
        whole = followed(store, books, [(1_000, 1, False)])
        at_once = rows_of(whole, History)
        whole.close()
        pieces = followed(store, books, cuts)
        assert rows_of(pieces, History) == at_once
        pieces.close()
