"""A desk, with nothing under way at its end."""

from __future__ import annotations

import pytest

from tests.delivery.carried.desk import Desk
from tests.delivery.outbox.turned import GOOD


@pytest.fixture(name="desk")
async def _desk(tmp_path):
    desk = Desk(tmp_path)
    await desk.start()
    yield desk
    for request in desk.requests:
        if request.hangs:
            request.answer(GOOD)
    await desk.close()
