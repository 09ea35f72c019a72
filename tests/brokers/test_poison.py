"""What is no event holds up nobody: poison.py, as anyone can run it, with less."""

from __future__ import annotations

import pytest

from tests.brokers.poison import COMPRESSIONS, poisoned

EVENTS, BAD, SEED = 300, 60, 6
"""At least one bad record of each kind."""


@pytest.mark.parametrize("compression", COMPRESSIONS)
async def test_every_good_event_is_delivered_and_every_bad_record_is_dead(apache, compression):
    """Through a real `serve --kafka`: verified deliveries, each once, and letters with their reason, whole or cut."""
    assert await poisoned(apache, compression, EVENTS, BAD, SEED) == []
