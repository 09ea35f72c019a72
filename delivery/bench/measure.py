"""Bare and pipeline in turn, fan-out beside them, and the naive way."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delivery.bench.bare import Pace, bare
from delivery.bench.pipeline import Pipeline
from delivery.bench.stage import FANOUT, SECRET, Receiver, batches, fan_batches, make_fanout, make_webhooks

ROUNDS = 3
"""How often a and b alternate; medians are reported."""
NAIVE_SHARE = 20
"""The naive way gets a twentieth of the events: it would take minutes."""


async def bare_pace(receiver: Receiver, webhooks: int, body: bytes, count: int) -> Pace:
    await receiver.ask(reset=0)
    return await bare([f"http://127.0.0.1:{receiver.port}/hook/{n}" for n in range(webhooks)], SECRET, body, count)


def paces(bares: Sequence[Pace], pipes: Sequence[Pace], fans: Sequence[Pace]) -> dict[str, float]:
    """Medians of rounds, and of their ratios."""
    return {
        "bare_per_s": statistics.median(pace.per_s for pace in bares),
        "pipeline_per_s": statistics.median(pace.per_s for pace in pipes),
        "fanout_per_s": statistics.median(pace.per_s for pace in fans),
        "ratio_bare": statistics.median(pipe.per_s / one.per_s for pipe, one in zip(pipes, bares, strict=True)),
        "ratio_fanout": statistics.median(fan.per_s / one.per_s for fan, one in zip(fans, bares, strict=True)),
    }


async def a_and_b(receiver: Receiver, data: Path, webhooks: int, events: int) -> dict[str, Any]:
    """Bare and pipeline, in turn, and a fan-out to ten beside them."""
    async with Pipeline(data) as pipeline:
        commands = pipeline.service.office.webhooks
        await make_webhooks(commands, receiver.port, webhooks)
        await make_fanout(commands, receiver.port, FANOUT)
        # What is slow only once (connections, secrets, the first pages) is not part of the pace.
        await pipeline.run(receiver, batches(webhooks * 20, webhooks), webhooks * 20)
        body = (await receiver.ask(wait=0))["body"].encode()
        bares, pipes, fans = [], [], []
        for _ in range(ROUNDS):
            bares.append(await bare_pace(receiver, webhooks, body, events))
            pipes.append(await pipeline.run(receiver, batches(events, webhooks), events))
            fan = fan_batches(events)
            fans.append(await pipeline.run(receiver, fan, len(fan) * 10 * FANOUT))
    return {
        **paces(bares, pipes, fans),
        "cpu_us_per_delivery": statistics.median(pace.cpu_us for pace in pipes),
        "cpu_us_bare": statistics.median(pace.cpu_us for pace in bares),
        "ranges": {
            name: [round(min(pace.per_s for pace in some)), round(max(pace.per_s for pace in some))]
            for name, some in (("bare_per_s", bares), ("pipeline_per_s", pipes), ("fanout_per_s", fans))
        },
        "body_bytes": len(body),
    }


async def naive(receiver: Receiver, data: Path, webhooks: int, events: int) -> dict[str, Any]:
    """The same ledger, one unit per commit."""
    count = max(events // NAIVE_SHARE, webhooks)
    async with Pipeline(data, commit_units_max=1) as pipeline:
        await make_webhooks(pipeline.service.office.webhooks, receiver.port, webhooks)
        pace = await pipeline.run(receiver, batches(count, webhooks, 1), count)
    return {"naive_per_s": pace.per_s}
