"""The bench, run small, so that it never rots: its figures are there, and they are of what it says."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

KEYS = {
    "bare_per_s",
    "pipeline_per_s",
    "fanout_per_s",
    "naive_per_s",
    "http_batch_per_s",
    "http_single_per_s",
    "ratio_bare",
    "ratio_http_single",
    "ratio_fanout",
    "cpu_us_per_delivery",
    "cpu_us_bare",
    "idle_latency_ms",
    "slow_receivers_ratio",
    "events_recorded",
    "bytes_per_event",
    "rebuild_per_s",
    "rebuild_ratio_scan",
    "rss_mib",
}
"""The words that outsiders rely on (`docs/performance.md`)."""


@pytest.mark.timeout(120)
async def test_the_bench_runs_small(tmp_path: Path) -> None:
    """`hookledger bench --json` prints one object with every promised key, and counts what it recorded."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hookledger", "bench", "--json", "--webhooks", "10", "--events", "1000",
        "--slow-backlog", "500", "--prefill", "3000", "--dir", str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    figures = json.loads(output)
    assert set(figures) >= KEYS
    for key in KEYS - {"idle_latency_ms"}:
        assert figures[key] > 0, key
    assert set(figures["idle_latency_ms"]) == {"p50", "p99"}
    # 3 rounds of 1,000 events with a delivery each, 3 of 10 batches of 10 events for ten webhooks, and the warm-up:
    # three recorded events for each event with one delivery, 21 for each with ten.
    delivered_once, fanned_out = 3 * 1_000 + 10 * 20, 3 * 100
    webhooks_and_catalogue = 10 + 10 + 1
    assert figures["events_recorded"] == 3 * delivered_once + 21 * fanned_out + webhooks_and_catalogue
    assert figures["growth"]["events_before"] >= 3_000
    assert figures["slow_receivers"]["hanging"] == 1
    assert os.listdir(tmp_path) == [], "the bench leaves nothing behind"
