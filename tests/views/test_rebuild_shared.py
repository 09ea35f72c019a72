"""A rebuild in a database makes the rows that following made, and says where the old ones differ, which are gone."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given, settings

from core.errors import ConflictError, LedgerBusyError
from core.history import History
from core.ledger.postgres.leader import Leader
from core.ledger.postgres.rebuild import rebuild
from core.ledger.rebuilt import Difference
from tests.invented import InventedClock
from tests.views.following import CUTS, follow_in_pieces, rows_of
from tests.views.ledgers import STEPS, books_of
from tests.views.stores import InDatabase
from tests.views.test_rebuild import A_LEDGER, all_views, an_outbox


@pytest.fixture(name="store", scope="module")
def _store():
    store = InDatabase()
    yield store
    store.close()


@pytest.fixture(name="leader")
def _leader(store):
    store.clear()
    _tell(store, "UPDATE leader SET until = '-infinity'")
    with closing(Leader(store.database, b"me")) as leader:
        yield leader


def _tell(store, sql):
    return store.tell(f"SET search_path TO {store.database.schema}; {sql}")


def follow_all(books, store, cuts=((4, 1, False),), events_max=None):
    """What leaders leave behind that have followed *events_max* events, and what rows there are then."""
    with closing(store.open()) as views:
        ((views.term,),) = store.tell(f"SELECT term FROM {store.database.schema}.leader")
        for make in (lambda: History(books.reader), lambda: an_outbox(books)):
            follow_in_pieces(books, views, make, [(size, pieces, False) for size, pieces, _ in cuts], events_max)
    return rows_now(books, store)


def rows_now(books, store):
    with closing(store.open()) as views:
        return {view.name: rows_of(views, view) for view in all_views(books)}


def made_anew(books, store, leader):
    with closing(store.open()) as views:
        return rebuild(books.reader, views, leader, all_views(books), InventedClock())


@settings(max_examples=20)
@given(steps=STEPS, cuts=CUTS)
def test_a_rebuild_equals_what_following_made(store, steps, cuts):
    """Whatever happened, and however it was followed: there is no difference, and the rows are what they were."""
    store.clear()
    with books_of(steps) as books, closing(Leader(store.database, b"me")) as leader:
        followed = follow_all(books, store, cuts)
        rebuilt = made_anew(books, store, leader)
        assert rebuilt.events == books.reader.head()
        assert set(rebuilt.compared) == set(followed)
        assert [difference for found in rebuilt.compared.values() for difference in found] == []
        assert rows_now(books, store) == followed


def test_rows_that_were_changed_are_told_and_put_right(store, leader):
    """One is different, one is missing and one is too many: the three are named, and are right afterwards."""
    with books_of(A_LEDGER) as books:
        right = follow_all(books, store)
        first, second = [row[0] for row in right["history/2"]["history_2"]][:2]
        store.tell(f"UPDATE history_2 SET webhook = 99 WHERE number = {first}")
        store.tell(f"DELETE FROM history_2 WHERE number = {second}")
        store.tell("INSERT INTO reactions_1 VALUES (77, 'gone', 1)")
        rebuilt = made_anew(books, store, leader)
        assert rebuilt.compared == {
            "history/2": [Difference("history_2", 2, ((first,), (second,)))],
            "outbox/1": [Difference("reactions_1", 1, ((77,),))],
        }
        assert rows_now(books, store) == right


def test_views_that_are_behind_are_compared_where_they_stand(store, leader):
    """Old rows of a part of the ledger are equal to the new ones at that point, and whole afterwards."""
    with books_of(A_LEDGER) as books:
        whole = follow_all(books, store)
        store.clear()
        follow_all(books, store, events_max=9)
        assert made_anew(books, store, leader).compared == {"history/2": [], "outbox/1": []}
        assert rows_now(books, store) == whole


def test_nobody_else_may_lead(store, leader):
    """While a lease runs nothing is begun; when somebody takes over on the way, nothing is changed."""
    with books_of(A_LEDGER) as books, closing(Leader(store.database, b"other")) as other:
        follow_all(books, store)
        store.tell("DELETE FROM history_2")
        assert other.claim() is not None
        with pytest.raises(LedgerBusyError, match="another process leads"):
            made_anew(books, store, leader)
        _tell(store, "UPDATE leader SET until = '-infinity'")

        def overtaken(_term):
            _tell(store, "UPDATE leader SET term = term + 1")
            return Leader.renew(leader, _term)

        leader.renew = overtaken
        with pytest.raises(ConflictError, match="nothing was changed"):
            made_anew(books, store, leader)
        assert rows_now(books, store)["history/2"]["history_2"] == []
