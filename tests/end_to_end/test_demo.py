"""`hookledger demo`: it shows what it says, and says so when it cannot."""

from __future__ import annotations

import asyncio
import re


async def test_the_demo_shows_all_of_it_or_says_why_not(place):
    """It ends by itself with exit code 0 in under a minute, and its own checks have counted everything; when a part
    of it does not start, the reason is told and the exit code is 1."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    # It is not shown on what its runner works with otherwise.
    theirs = {"HOOKLEDGER_DATABASE": "postgresql://db.invalid/portal", "HOOKLEDGER_KAFKA": "broker.invalid:9092"}
    showing = asyncio.create_task(place.run("demo", **theirs))
    failed = await place.run("demo", HOOKLEDGER_HOST="203.0.113.1")
    assert failed.code == 1
    assert "cannot listen on 203.0.113.1" in failed.err
    assert "All as it should be" not in failed.out

    ran = await showing
    assert loop.time() - started < 60
    assert ran.code == 0, ran.out + ran.err
    for words in (
        "36 portal events accepted",
        "44 deliveries arrived: 36 to everything, 2 to forms, 6 to report",
        "100 of 100 signatures verified",
        "50 of 50 requests rendered again from the ledger, byte for byte",
        "equal the old ones",
        "delivered after 2 attempts",
    ):
        assert words in ran.out
    assert len(re.findall(r"^ +\d+  \w+\.\w+.* verified +verified", ran.out, re.MULTILINE)) == 50
    assert not place.data.exists()
