"""Where the answers to questions come from: which index, and how far a page looks."""

from __future__ import annotations

import re

import pytest

from core.errors import InvalidInputError
from core.history_entries import count, page, standings
from core.history_question import ARMS_MAX, Wanted
from core.history_table import NAME, TABLES
from core.ledger.views import Views

BUSY = 1
FAILING = 2
QUIET = 3


class Explained(Views):
    """Views that keep how each question to the deliveries' table was answered."""

    plans: list[str]

    def rows(self, sql, parameters=()):
        if "history_2 h" in sql:
            steps = super().rows(f"EXPLAIN QUERY PLAN {sql}", parameters)
            self.plans.append("; ".join(step[3] for step in steps))
        return super().rows(sql, parameters)


@pytest.fixture(name="views")
def _views(tmp_path):
    """The history's tables with three webhooks in them, two of one tenant, and no delivery."""
    views = Explained(tmp_path / "views.sqlite", b"a ledger's own id")
    views.plans = []
    views.begin(NAME, TABLES)
    counts = [(BUSY, "1", 9, 0, 9, 0, 0), (FAILING, "1", 0, 1, 0, 9, 0), (QUIET, "2", 0, 0, 1, 0, 0)]
    views.writing.executemany("INSERT INTO history_webhooks_2 VALUES (?,?,?,?,?,?,?)", counts)
    views.writing.execute("INSERT INTO history_triggers_2 VALUES (0, 'file.created')")
    yield views
    views.close()


WEBHOOK, TROUBLE, WEBHOOK_TROUBLE = "history_2_webhook", "history_2_trouble", "history_2_webhook_trouble"


@pytest.mark.parametrize(
    ("wanted", "arms"),
    [
        (Wanted(webhook=BUSY), {WEBHOOK: 1}),
        (Wanted(webhook=BUSY, trigger="file.created", before=9), {WEBHOOK: 1}),
        (Wanted(webhook=BUSY, states=("delivered", "failed")), {WEBHOOK: 1}),
        (Wanted(tenant="1"), {WEBHOOK: 2}),
        (Wanted(tenant="1", webhook=BUSY), {WEBHOOK: 1}),
        (Wanted(tenant="1", statuses=("2xx",), before=9), {WEBHOOK: 2}),
        (Wanted(states=("failed",)), {TROUBLE: 5}),
        (Wanted(statuses=("5xx",), is_newest=True), {TROUBLE: 3}),
        (Wanted(states=("failed", "retrying"), statuses=("503", "none")), {TROUBLE: 4}),
        (Wanted(webhook=BUSY, states=("failed", "pending")), {WEBHOOK_TROUBLE: 1}),
        (Wanted(tenant="1", states=("failed", "pending"), statuses=("none", "5xx")), {WEBHOOK_TROUBLE: 3}),
        (Wanted(webhook=QUIET, states=("failed",)), {}),
        (Wanted(tenant="3"), {}),
        (Wanted(trigger="kite.flown"), {}),
        (Wanted(states=("pending",), statuses=("5xx",)), {}),
    ],
)
def test_a_page_comes_from_the_right_index(views, wanted, arms):
    """A page is read off an index for each arm, in order, without sorting; what is not delivered has its own, and
    what cannot be there is not looked for."""
    page(views, None, wanted, 20)
    count(views, None, wanted)
    for plan in views.plans:
        found = re.findall(r"SEARCH h USING (?:COVERING )?INDEX (\w+) \(", plan)
        assert {index: found.count(index) for index in set(found)} == arms
        assert len(re.findall("SCAN h", plan)) == 0
        sorts = plan.count("TEMP B-TREE FOR ORDER BY")
        assert sorts <= max(sum(arms.values()), 1), "only what each arm gives is sorted, not what it is taken from"
    assert bool(views.plans) == bool(arms)


def test_what_has_no_index_is_looked_through_by_number(views):
    """Without a better way, deliveries are gone through from the newest, a trigger only where it occurs."""
    page(views, None, Wanted(target="7"), 20)
    assert all("SEARCH h USING INTEGER PRIMARY KEY" in plan for plan in views.plans)
    views.plans.clear()
    page(views, None, Wanted(trigger="file.created"), 20)
    for plan in views.plans:
        assert "SEARCH s USING INTEGER PRIMARY KEY (rowid>? AND rowid<?); SEARCH h USING INTEGER PRIMARY KEY" in plan


def test_a_tenant_with_many_webhooks_is_looked_for_by_number(views):
    """More webhooks than can be put together are looked for among all deliveries, or all that is not delivered."""
    views.writing.executemany(
        "INSERT INTO history_webhooks_2 VALUES (?,'many',1,0,0,0,0)", [(10 + n,) for n in range(ARMS_MAX + 1)]
    )
    for wanted, way in (
        (Wanted(tenant="many"), "INTEGER PRIMARY KEY"),
        (Wanted(tenant="many", states=("failed",)), TROUBLE),
    ):
        views.plans.clear()
        page(views, None, wanted, 20)
        assert all(f"{way} (" in plan for plan in views.plans)
        assert len(views.plans) == 2, "how far it looks, and what it finds"


@pytest.mark.parametrize("status", ["", "20", "099", "4XY", "6xx", "0xx", "none ", "٤٠٤", "1e3", "²00"])
def test_what_is_no_status_is_refused(views, status):
    """A status is three digits, a group of them, or none."""
    with pytest.raises(InvalidInputError, match="is no status"):
        page(views, None, Wanted(statuses=(status,)), 20)


def test_how_webhooks_fare_comes_from_indexes(views):
    """The standing of webhooks is looked up and not counted: no table is scanned."""
    standings(views, [1, 2, 3, 4])
    (plan,) = views.plans
    assert "SEARCH w USING INTEGER PRIMARY KEY" in plan
    assert "SCAN" not in plan
