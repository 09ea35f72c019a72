"""How fast the views are made anew, beside a plain scan that reads and decodes every stored event in the same run."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from core.clock import SystemClock
from core.data_directory import LEDGER_FILE, VIEWS_FILE
from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.model.topics import Codec
from core.rebuild import rebuild
from delivery.bench.measure import ROUNDS
from delivery.rebuilding import views_of


async def rebuild_pace(data: Path) -> dict[str, Any]:
    """Scan and rebuild, in turn."""
    return await asyncio.get_running_loop().run_in_executor(None, _rebuild_pace, data)


def _rebuild_pace(data: Path) -> dict[str, Any]:
    scans, rebuilds = [], []
    with closing(SqliteRecorder(data / LEDGER_FILE)) as recorder:
        reader = Reader(recorder, Codec())
        head = reader.head()
        for _ in range(ROUNDS):
            started = time.perf_counter()
            _scan(reader)
            scans.append(head / (time.perf_counter() - started))
            views = views_of(reader)
            started = time.perf_counter()
            rebuild(reader, data / VIEWS_FILE, views, SystemClock())
            rebuilds.append(head / (time.perf_counter() - started))
    return {
        "rebuild_per_s": statistics.median(rebuilds),
        "rebuild_ratio_scan": statistics.median(one / scan for one, scan in zip(rebuilds, scans, strict=True)),
    }


def _scan(reader: Reader) -> None:
    position = 0
    while events := reader.after(position):
        position = events[-1].position
