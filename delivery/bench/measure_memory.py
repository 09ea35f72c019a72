"""What `serve` keeps in memory as its ledger and its backlog grow, and how soon it is ready again on a large ledger."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from delivery.bench import client, prefill
from delivery.bench.pipeline import LIMIT_S, Pipeline
from delivery.bench.serving import Serving
from delivery.bench.stage import Receiver, batches, make_webhooks

AT_ONCE = 10_000
"""Events prepared and published at a time."""


async def memory(receiver: Receiver, data: Path, webhooks: int, few: int, many: int) -> dict[str, Any]:
    """Resident memory of `serve` after *few* deliveries, and after *many*."""
    async with Pipeline(data) as pipeline:
        await make_webhooks(pipeline.service.office.webhooks, receiver.port, webhooks)
    async with Serving(data) as serving:
        await _publish(receiver, serving, webhooks, few)
        at_few = serving.rss_mib()
        await _publish(receiver, serving, webhooks, many - few)
        at_many = serving.rss_mib()
    return {"memory": {"deliveries": [few, many], "rss_mib": [at_few, at_many], "ratio": at_many / at_few}}


async def backlog(receiver: Receiver, data: Path, webhooks: int, pending: int) -> dict[str, Any]:
    """Resident memory of `serve` with so many pending deliveries of ten webhooks that hang, while others go on."""
    hanging = max(webhooks // 10, 1)
    async with Pipeline(data) as pipeline:
        await make_webhooks(pipeline.service.office.webhooks, receiver.port, webhooks, hanging=hanging)
        stuck = [known for known in pipeline.service.office.webhooks.all() if "/hang/" in known.url]
        await prefill.pending(pipeline.service, stuck, pending // hanging)
    async with Serving(data) as serving:
        await _publish(receiver, serving, webhooks, AT_ONCE, first=hanging)
        rss = serving.rss_mib()
        serving.kill()
    return {"memory_backlog": {"pending": pending, "rss_mib": rss}}


async def restart(receiver: Receiver, data: Path, webhooks: int, past: int, pending: int) -> dict[str, Any]:
    """Seconds from the start of the process until it is ready, killed before, on a ledger with a past and a backlog."""
    async with Pipeline(data) as pipeline:
        service = pipeline.service
        await make_webhooks(service.office.webhooks, receiver.port, webhooks, hanging=1)
        await prefill.delivered(service, service.office.webhooks.all(), past)
        stuck = [known for known in service.office.webhooks.all() if "/hang/" in known.url]
        await prefill.pending(service, stuck, pending)
        events = service.office.writer.head
    serving = Serving(data)
    async with serving:
        serving.kill()
    started = time.monotonic()
    async with Serving(data, token=serving.token) as again:
        ready_s = time.monotonic() - started
        again.kill()
    return {"restart": {"events": events, "pending": pending, "ready_s": ready_s}}


async def _publish(receiver: Receiver, serving: Serving, webhooks: int, events: int, *, first: int = 0) -> None:
    for start in range(0, events, AT_ONCE):
        count = min(AT_ONCE, events - start)
        requests = [client.request(serving.token, body) for body in batches(count, webhooks, first=first)]
        await receiver.ask(reset=count)
        await client.publish(serving.port, requests, 4)
        report = await receiver.ask(wait=LIMIT_S)
        if report["distinct"] != count:
            raise RuntimeError(f"{count} events were accepted, the receiver says {report}")
