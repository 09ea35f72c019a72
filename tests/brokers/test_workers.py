"""Roles as processes of their own, with Kafka between them: what is handed out is attempted by whoever has its part."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import _crew  # noqa: F401 -- a fixture


@pytest.fixture(name="over")
def _over(crew):
    """A crew over a broker, which has the topic of deliveries."""

    def over(broker, partitions=8):
        topic = broker.new_topic(partitions=partitions)
        crew.words = ("--kafka", broker.address, "--deliveries-topic", topic, "--deliveries-group", f"{topic}-workers")
        return crew

    return over


async def test_a_worker_by_itself_delivers(broker, over):
    """Each delivery once, and its outcome is in the ledger."""
    crew = over(broker)
    await crew.begin(api="api", one="outbox", two="worker")
    await crew.publish(*(f"event {n}" for n in range(200)))
    await crew.ends_well()
