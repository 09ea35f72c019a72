"""docs/operating.md knows every line that says what is wrong with a file, and the topics as they are made."""

from __future__ import annotations

import pytest

from core.ledger.fault import WHAT_TO_DO, rolled_back
from core.settings import Settings
from delivery.kafka_setup.plan import Asked, TopicPlan, planned
from tests.tidy.tree import ROOT

PAGE = " ".join((ROOT / "docs" / "operating.md").read_text(encoding="utf-8").split())
LINES = {line.partition(":")[0] for line in WHAT_TO_DO.values()}


@pytest.mark.parametrize("line", sorted(LINES))
def test_every_fault_of_a_file_is_in_the_table(line):
    """Whoever looks for the words of an error finds what they mean, and what to do."""
    assert f"`{line}`" in PAGE


def test_a_ledger_that_lost_its_end_is_in_the_table():
    """The same for what two files together say."""
    said = rolled_back(ROOT / "views.sqlite", 7, 3)
    assert "what was recorded last is missing" in said
    assert "`what was recorded last is missing`" in PAGE


BY_DEFAULT = Settings()
TOPICS = planned(
    Asked(BY_DEFAULT.inbox_topic, BY_DEFAULT.inbox_dead_topic, BY_DEFAULT.deliveries_topic, BY_DEFAULT.ledger_topic),
    brokers=3,
)
BY_COPIES = "min.insync.replicas"
"""The one setting that depends on how many brokers there are."""


@pytest.mark.parametrize("plan", TOPICS, ids=lambda plan: plan.name)
def test_every_topic_is_in_the_table_as_it_is_made(plan: TopicPlan):
    """Its partitions and all of its settings."""
    settings = " ".join(f"{name}={value}" for name, value in plan.settings.items() if name != BY_COPIES)
    assert f"| `{plan.name}` | {plan.partitions} | `{settings}` |" in PAGE
    assert (plan.replication, plan.settings[BY_COPIES]) == (3, "2")
