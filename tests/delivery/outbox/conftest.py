"""The stage of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.delivery.outbox.stage import Stage


@pytest.fixture(name="stage")
async def _stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path / "data")
    await stage.service.start()
    yield stage
    await stage.service.stop()
