"""What is said where a broker lets us in by name, and lets us do nothing."""

from __future__ import annotations

import pytest

from tests.brokers.guarded import GuardedBroker
from tests.end_to_end.conftest import _place  # noqa: F401 -- a fixture


@pytest.fixture(scope="module", name="guarded")
def _guarded():
    broker = GuardedBroker()
    broker.start()
    yield broker
    broker.stop()
    broker.end()


async def test_who_may_do_nothing_is_told_so(guarded, place):
    """Each topic has its line, which says what its user needs."""
    ran = await place.run("kafka", "init", "--kafka", guarded.guarded, **guarded.words)
    lines = ran.out.splitlines()
    assert (ran.code, len(lines)) == (1, 4), ran.err
    assert all(line.startswith("refused") and "DescribeConfigs" in line for line in lines)


async def test_who_is_not_let_in_is_told_where_to_look(guarded, place):
    """With a wrong password, and with none; the password is not shown."""
    wrong = {**guarded.words, "HOOKLEDGER_KAFKA_SASL_PLAIN_PASSWORD": "hush"}
    for environment in (wrong, {}):
        ran = await place.run("kafka", "init", "--kafka", guarded.guarded, **environment)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert "HOOKLEDGER_KAFKA_…" in ran.err
        assert "hush" not in ran.err
