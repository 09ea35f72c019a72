"""Each test has a data directory of its own; no process outlives it."""

from __future__ import annotations

import pytest

from tests.end_to_end.place import Place
from tests.faults.live import Mailbox


@pytest.fixture(name="place")
async def _place(tmp_path):
    place = Place(tmp_path / "data")
    yield place
    await place.close()


@pytest.fixture(name="mailbox")
async def _mailbox():
    async with Mailbox() as mailbox:
        yield mailbox
