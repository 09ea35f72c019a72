"""Where the answers to questions come from in PostgreSQL, on a full table: which index, and how much is read."""

from __future__ import annotations

import json

import pytest

from core.history_entries import page, standings
from core.history_question import Wanted
from core.history_table import NAME, STRETCH_BITS, TABLES
from core.ledger.postgres.views import PostgresViews
from tests.views.stores import InDatabase

ROWS = 60_000
WEBHOOKS = 30
FILL = f"""
INSERT INTO history_2
    SELECT n, 1 + n % {WEBHOOKS}, CASE WHEN n % 50 < 46 THEN 22 ELSE (ARRAY[35, 15, 30, 0])[n % 50 - 45] END,
        CASE WHEN n % 50 < 46 THEN 200 END, CASE WHEN n % 1000 = 7 THEN 1 ELSE 0 END, '\\x90'
    FROM generate_series(1, {ROWS}) n;
INSERT INTO history_webhooks_2
    SELECT w, CASE WHEN w % 10 = 1 THEN '1' ELSE '2' END, 9, 9, 9, 9, 9 FROM generate_series(1, {WEBHOOKS}) w;
INSERT INTO history_triggers_2 VALUES (0, 'file.created'), (1, 'room.created');
INSERT INTO history_stretches_2 SELECT s, 3 FROM generate_series(0, {ROWS >> STRETCH_BITS}) s;
INSERT INTO history_redeliveries_2 SELECT n, n - 9, n - 10 FROM generate_series(11, {ROWS}, 500) n;
"""


class Explained(PostgresViews):
    """Views that keep how each question to the deliveries' table was answered, instead of answering it."""

    plans: list[dict]

    def rows(self, sql, parameters=()):
        if "history_2 h" not in sql:
            return super().rows(sql, parameters)
        ((plan,),) = super().rows(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters)
        self.plans.append((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        return [(0,)] if "count(*)" in sql else []


@pytest.fixture(name="views", scope="module")
def _views():
    store = InDatabase()
    views = store.open(kind=Explained)
    views.begin(NAME, TABLES)
    store.tell(FILL)
    store.tell("ANALYZE")
    yield views
    views.close()
    store.close()


def nodes(plan):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def is_deliveries(node):
    return node.get("Relation Name") == "history_2"


def read(plan):
    """Rows that were read of deliveries, those that were thrown away too."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if is_deliveries(node)
    )


def indexes(plan):
    """Those that deliveries were read by."""
    return {node["Index Name"] for node in nodes(plan) if "Index Name" in node}


WEBHOOK, TROUBLE, WEBHOOK_TROUBLE = "history_2_webhook", "history_2_trouble", "history_2_webhook_trouble"


@pytest.mark.parametrize(
    ("wanted", "index", "read_max"),
    [
        (Wanted(webhook=1), WEBHOOK, 20),
        (Wanted(webhook=1, before=30_000), WEBHOOK, 20),
        (Wanted(tenant="1"), WEBHOOK, 60),
        (Wanted(tenant="1", statuses=("2xx",), before=9_000), WEBHOOK, 300),
        (Wanted(states=("failed",)), TROUBLE, 60),
        (Wanted(states=("failed",), before=20_000), TROUBLE, 60),
        (Wanted(webhook=1, states=("failed",)), WEBHOOK_TROUBLE, 60),
        (Wanted(webhook=1, states=("pending",)), WEBHOOK_TROUBLE, 20),
        (Wanted(), "history_2_pkey", 20),
        (Wanted(trigger="room.created"), "history_2_pkey", 25_000),
        (Wanted(target="7"), "history_2_pkey", 60_000),
    ],
)
@pytest.mark.parametrize("oldest_first", [False, True])
def test_a_page_is_read_off_an_index(views, wanted, index, read_max, oldest_first):
    """A page reads little more than it shows: each arm in the order of its index, no table from end to end."""
    views.plans = []
    page(views, None, wanted, 20, oldest_first=oldest_first)
    for plan in views.plans:
        assert not [node for node in nodes(plan) if node["Node Type"] == "Seq Scan" and is_deliveries(node)]
        assert index in indexes(plan)
    assert read(plan) <= read_max + 20


def test_how_webhooks_fare_comes_from_indexes(views):
    """The standing of webhooks is looked up and not counted."""
    views.plans = []
    standings(views, [1, 2, 3, 4])
    (plan,) = views.plans
    assert "history_2_webhook" in indexes(plan)
    assert read(plan) <= 8
