"""The stages of these tests: with real threads, and with threads that move only when the test turns them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.delivery.outbox.stage import Stage
from tests.delivery.outbox.turned import Turned


@pytest.fixture(name="stage")
async def _stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path / "data")
    await stage.service.start()
    yield stage
    await stage.service.stop()


@pytest.fixture(name="turned")
async def _turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Turned]:
    turned = Turned(tmp_path / "data", monkeypatch)
    await turned.finish(turned.service.start())
    yield turned
    turned.jobs.free()
    await turned.stop()
    assert turned.broken == []
