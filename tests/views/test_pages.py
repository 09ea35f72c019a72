"""Questions asked of the history are answered as a look through all deliveries would, from an index."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.history import History
from core.history_entries import Wanted, get, page, standings
from core.history_table import NAME, TABLES, Details, encode_details
from core.ledger.views import Views
from tests.builders import NOW
from tests.views.following import follow_in_pieces
from tests.views.ledgers import STEPS, books_of
from tests.views.plain_fold import plain_fold

STATES = ("pending", "retrying", "delivered", "failed", "cancelled")
MAYBE_TIME = st.none() | st.integers(-2, 42).map(lambda commit: NOW + commit * 1_000)
FILTERS = {
    "tenant": st.sampled_from((None, "1", "2", "3")),
    "webhook": st.none() | st.integers(1, 4),
    "trigger": st.sampled_from((None, "file.created", "room.created", "kite.flown")),
    "states": st.lists(st.sampled_from(STATES), unique=True),
    "status_class": st.sampled_from((None, 0, 2, 3, 4, 5)),
    "since_ms": MAYBE_TIME,
    "until_ms": MAYBE_TIME,
    "before_number": st.none() | st.integers(0, 120),
    "limit": st.integers(1, 20),
}
WANTED = st.one_of(
    st.fixed_dictionaries({}, optional=FILTERS),
    *[st.fixed_dictionaries({name: values}) for name, values in FILTERS.items()],
)


@pytest.fixture(name="views")
def _views(tmp_path):
    """The history's tables, empty."""
    views = Views(tmp_path / "views.sqlite", b"a ledger's own id")
    views.begin(NAME, TABLES)
    yield views
    views.close()


def followed(books):
    views = Views(books.recorder.path.with_name("views.sqlite"), books.recorder.identity)
    follow_in_pieces(books, views, lambda: History(books.reader), [(50, 1, False)])
    return views


def is_wanted(known, created_in, wanted):
    """Whether a delivery of the plain fold is asked for; *created_in* is when the commit of its creation was made."""
    status_class = None if known["status"] is None else known["status"] // 100
    return all(
        (
            wanted.get("tenant") in (None, known["tenant"]),
            wanted.get("webhook") in (None, known["webhook"]),
            wanted.get("trigger") in (None, known["trigger"]),
            not wanted.get("states") or known["state"] in wanted["states"],
            wanted.get("status_class") is None or (status_class or 0) == wanted["status_class"],
            wanted.get("since_ms") is None or created_in >= wanted["since_ms"],
            wanted.get("until_ms") is None or created_in <= wanted["until_ms"],
            wanted.get("before_number") is None or known["number"] < wanted["before_number"],
        )
    )


@given(STEPS, st.lists(WANTED, min_size=20, max_size=20))
def test_a_page_is_what_was_asked_for(steps, questions):
    """Every mix of filters gives the newest deliveries they let through, newest first."""
    with books_of(steps) as books:
        views = followed(books)
        deliveries = plain_fold(books.reader.after(0))
        for wanted in questions:
            expected = [
                number
                for number, known in sorted(deliveries.items(), reverse=True)
                if is_wanted(known, books.reader.committed_at(number), wanted)
            ]
            found = page(views, books.reader, wanted)
            assert [entry.number for entry in found] == expected[: wanted.get("limit", 100)]
        views.close()


def test_times_are_inclusive():
    """A delivery whose commit was made at the very millisecond that is asked for is there, from and until."""
    with books_of([("event", 0, 1)] * 3) as books:
        views = followed(books)
        numbers = sorted(plain_fold(books.reader.after(0)))
        at = books.reader.committed_at(numbers[1])

        def found(wanted):
            return [entry.number for entry in page(views, books.reader, wanted)][::-1]

        assert found({"since_ms": at}) == numbers[1:]
        assert found({"since_ms": at + 1}) == numbers[2:]
        assert found({"until_ms": at}) == numbers[:2]
        assert found({"until_ms": at - 1}) == numbers[:1]
        views.close()


@pytest.mark.parametrize("status", [200, 204, 299])
def test_a_class_has_a_hundred_statuses(views, status):
    """Every 2xx is found as such, and as nothing else."""
    details = encode_details(Details(1, "e", b"", None, NOW, None, NOW, ()))
    views.writing.execute(f"INSERT INTO history_1 VALUES (2, 1, 2, {status}, '1', 'x', ?)", (details,))
    assert [found for found in range(6) if page(views, None, {"status_class": found})] == [2]


def test_pages_follow_each_other_without_a_gap():
    """Each page begins where the one before it ended, by number, whatever was added meanwhile."""
    with books_of([("event", 0, 7)] * 9) as books:
        views, seen, before = followed(books), [], None
        while found := page(views, books.reader, {"tenant": "1", "limit": 4, "before_number": before}):
            seen += [entry.number for entry in found]
            before = seen[-1]
        everything = page(views, books.reader, {"tenant": "1"})
        assert seen == [entry.number for entry in everything]
        assert len(seen) == 18
        views.close()


def test_one_delivery_by_number():
    """A delivery is found by its number; no other number finds one."""
    with books_of([("event", 0, 1)]) as books:
        views = followed(books)
        (number,) = plain_fold(books.reader.after(0))
        assert get(views, number).number == number
        assert get(views, number - 1) is None
        views.close()


def test_how_webhooks_fare():
    """A webhook's standing is that of its newest delivery, beside the sums of all; a new webhook has none."""
    steps = [("event", 0, 1), ("delivered", 0, 4), ("event", 0, 3), ("failed", 0, 3), ("failed", 1, 5)]
    with books_of(steps) as books:
        views = followed(books)
        known = plain_fold(books.reader.after(0))
        found = standings(views, [1, 2, 3, 99])
        assert set(found) == {1, 2}
        newest = max((one for one in known.values() if one["webhook"] == 1), key=lambda one: one["number"])
        assert found[1].number == newest["number"]
        assert (found[1].state, found[1].status) == (newest["state"], newest["status"])
        assert found[1].created_at == newest["created_at"]
        assert {state: count for state, count in found[1].totals.items() if count} == {"delivered": 1, "retrying": 1}
        assert {state: count for state, count in found[2].totals.items() if count} == {"retrying": 1}
        views.close()


class Explained:
    """In the place of the views: keeps how a question would be answered."""

    def __init__(self, views):
        self._views = views
        self.plan = ""

    def rows(self, sql, parameters):
        steps = self._views.rows(f"EXPLAIN QUERY PLAN {sql}", parameters)
        self.plan = "; ".join(step[3] for step in steps)
        return []


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(webhook=1), "history_1_webhook"),
        (Wanted(tenant="1", webhook=1, trigger="file.created", before_number=9), "history_1_webhook"),
        (Wanted(webhook=1, states=["delivered", "failed"]), "history_1_webhook"),
        (Wanted(tenant="1"), "history_1_tenant"),
        (Wanted(tenant="1", status_class=2, before_number=9), "history_1_tenant"),
        (Wanted(tenant="1", states=["failed", "retrying"]), "history_1_tenant_trouble"),
        (Wanted(tenant="1", webhook=1, status_class=5, before_number=9), "history_1_webhook_trouble"),
        (Wanted(tenant="1", status_class=0), "history_1_tenant_trouble"),
    ],
)
def test_a_page_comes_from_the_right_index(views, wanted, index):
    """A page is read off one index, backwards, without sorting; what is not delivered has its own."""
    explained = Explained(views)
    page(explained, None, wanted)
    assert f"USING INDEX {index} (" in explained.plan
    assert "TEMP B-TREE" not in explained.plan


def test_how_webhooks_fare_comes_from_indexes(views):
    """The standing of webhooks is looked up and not counted: no table is scanned."""
    explained = Explained(views)
    standings(explained, [1, 2, 3, 4])
    assert "SEARCH w USING INTEGER PRIMARY KEY" in explained.plan
    assert "SCAN" not in explained.plan
