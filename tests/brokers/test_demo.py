"""`python -m tests.brokers.demo`: it shows what it says on the small broker too, and says so when it cannot.

On Apache Kafka `.ci/run` runs it.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.end_to_end.conftest import _place  # noqa: F401 -- a fixture

WORDS = ("-m", "tests.brokers.demo", "--small")
WITHIN_S = 200.0
"""Half a minute, on a machine that does nothing else."""


async def ended(process):
    """What a demo said, and its exit code."""
    async with asyncio.timeout(WITHIN_S):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.timeout(WITHIN_S + 20)
async def test_the_demo_shows_each_role(place):
    """It says in its first lines that it is not on Apache Kafka, and ends with exit code 0 when all was verified."""
    code, out, err = await ended(await place.start_python(*WORDS))
    assert code == 0, out + err
    assert out.splitlines()[1] == "Not on Apache Kafka (as --small says), but on a small broker that speaks as it does."
    for words in (
        "4 topics are there: portal.events, portal.events.dead, webhook.deliveries, webhook.ledger",
        "42 deliveries arrived: 36 to everything, 6 to report",
        "84 signatures hold",
        "800 of 800 deliveries arrived and are told as delivered",
        "lag 0",
    ):
        assert words in out
    assert re.search(r"✓ \d+ received twice", out)


async def test_a_demo_that_cannot_start_says_why(place):
    """Its exit code is 1, and what its processes said stands above."""
    code, out, err = await ended(await place.start_python(*WORDS, HOOKLEDGER_HOST="203.0.113.1"))
    assert code == 1
    assert "cannot listen on 203.0.113.1" in err
    assert "the demo failed" in err
    assert "All as it should be" not in out
