"""The pipeline under load: beside receivers that hang, and on a ledger with a past."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

import msgspec

from core.incoming import events_of
from delivery.bench import prefill
from delivery.bench.measure import ROUNDS
from delivery.bench.measure_http import percentile
from delivery.bench.pipeline import LIMIT_S, SOURCE, Pipeline
from delivery.bench.stage import TENANT, Receiver, batches, event, make_webhooks


async def slow_receivers(
    receiver: Receiver, data: Path, webhooks: int, events: int, percent: int, backlog: int
) -> dict[str, Any]:
    """Some webhooks hang until the timeout, with a backlog of due rows for each; what do the others keep?"""
    hanging = max(webhooks * percent // 100, 1)
    healthy = webhooks - hanging
    async with Pipeline(data / "healthy") as pipeline:
        await make_webhooks(pipeline.service.office.webhooks, receiver.port, webhooks, hanging=hanging)
        await pipeline.run(receiver, batches(healthy * 20, webhooks, first=hanging), healthy * 20)
        alone = [await pipeline.run(receiver, load, events) for load in _loads(events, webhooks, hanging)]
        pace = statistics.median(one.per_s for one in alone) / 10
        calm = await _paced(pipeline, receiver, webhooks, hanging, events // 5, pace)
    async with Pipeline(data / "hanging") as pipeline:
        service = pipeline.service
        await make_webhooks(service.office.webhooks, receiver.port, webhooks, hanging=hanging)
        stuck = [known for known in service.office.webhooks.all() if "/hang/" in known.url]
        await prefill.pending(service, stuck, backlog)
        await pipeline.run(receiver, batches(healthy * 20, webhooks, first=hanging), healthy * 20)
        beside = [await pipeline.run(receiver, load, events) for load in _loads(events, webhooks, hanging)]
        troubled = await _paced(pipeline, receiver, webhooks, hanging, events // 5, pace)
        report = await receiver.ask(wait=0)
        under_way = service.carrier.dispatch.old if service.carrier is not None else 0
    return {
        "slow_receivers_ratio": statistics.median(one.per_s for one in beside)
        / statistics.median(one.per_s for one in alone),
        "slow_receivers": {
            "hanging": hanging,
            "backlog_each": backlog,
            "requests_that_hung": report["hanging"],
            "under_way_old": under_way,
            "latency_ms_without": calm,
            "latency_ms_beside": troubled,
        },
    }


def _loads(events: int, webhooks: int, hanging: int) -> list[list[bytes]]:
    return [batches(events, webhooks, first=hanging) for _ in range(ROUNDS)]


async def _paced(
    pipeline: Pipeline, receiver: Receiver, webhooks: int, hanging: int, count: int, per_s: float
) -> dict[str, float]:
    """Latency from intake to the receiver's socket at a steady pace."""
    await receiver.ask(reset=count, times=True)
    sent: dict[str, float] = {}
    tasks = []
    due = time.monotonic()
    for number in range(count):
        due += 1 / per_s
        if (wait := due - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        name = f"paced {number}"
        body = msgspec.json.encode(event(1_000 + hanging + number % (webhooks - hanging), name))
        sent[name] = time.monotonic()
        accepting = pipeline.service.office.intake.accept(TENANT, events_of(body, TENANT), SOURCE)
        tasks.append(asyncio.create_task(accepting))
    await asyncio.gather(*tasks)
    report = await receiver.ask(wait=LIMIT_S)
    taken = sorted((report["times"][name] - at) * 1000 for name, at in sent.items())
    return {"p50": percentile(taken, 50), "p99": percentile(taken, 99)}


async def growth(receiver: Receiver, data: Path, webhooks: int, events: int, past: int) -> dict[str, Any]:
    """The pipeline on an empty ledger and on one with a past, in turn."""
    empty, full = Pipeline(data / "empty"), Pipeline(data / "full")
    async with empty, full:
        for pipeline in (empty, full):
            await make_webhooks(pipeline.service.office.webhooks, receiver.port, webhooks)
        await prefill.delivered(full.service, full.service.office.webhooks.all(), past)
        for pipeline in (empty, full):
            await pipeline.run(receiver, batches(webhooks * 20, webhooks), webhooks * 20)
        ratios = []
        for _ in range(ROUNDS):
            on_empty = await empty.run(receiver, batches(events, webhooks), events)
            on_full = await full.run(receiver, batches(events, webhooks), events)
            ratios.append(on_full.per_s / on_empty.per_s)
        prefilled = full.service.office.writer.head
    return {"growth": {"events_before": prefilled, "ratio": statistics.median(ratios)}}
