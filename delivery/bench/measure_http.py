"""`serve` over HTTP from another process: 100 events a request, one a request, and how long one takes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from delivery.bench import client
from delivery.bench.pipeline import LIMIT_S, Pipeline
from delivery.bench.serving import Serving
from delivery.bench.stage import Receiver, batches, event, make_webhooks

CLIENTS = 50


async def over_http(receiver: Receiver, data: Path, webhooks: int, events: int, bare_per_s: float) -> dict[str, Any]:
    """`serve` in its own process: 100 events a request, then one a request, then latencies."""
    async with Pipeline(data) as pipeline:
        await make_webhooks(pipeline.service.office.webhooks, receiver.port, webhooks)
    async with Serving(data) as serving:

        def requests(count: int, size: int) -> list[bytes]:
            return [client.request(serving.token, body) for body in batches(count, webhooks, size)]

        await publish(receiver, serving, requests(webhooks * 20, 100), webhooks * 20, 4)
        cpu = serving.cpu_s()
        batch_s = await publish(receiver, serving, requests(events, 100), events, 4)
        cpu_us = (serving.cpu_s() - cpu) / events * 1e6
        single_s = await publish(receiver, serving, requests(events // 2, 1), events // 2, CLIENTS)
        single_per_s = events // 2 / single_s
        idle = await latencies(receiver, serving, webhooks, min(events // 50, 400), 40.0)
        half = await latencies(receiver, serving, webhooks, min(events // 5, 4_000), single_per_s / 2)
        return {
            "http_batch_per_s": events / batch_s,
            "http_single_per_s": single_per_s,
            "ratio_http_single": single_per_s / bare_per_s,
            "cpu_us_http_batch": cpu_us,
            "idle_latency_ms": idle,
            "half_load_latency_ms": half,
            "rss_mib": serving.rss_mib(),
        }


async def publish(
    receiver: Receiver, serving: Serving, requests: Sequence[bytes], deliveries: int, clients: int
) -> float:
    """Seconds from the first request to the last delivery's arrival."""
    await receiver.ask(reset=deliveries)
    started = time.monotonic()
    await client.publish(serving.port, requests, clients)
    report = await receiver.ask(wait=LIMIT_S)
    if report["distinct"] != deliveries or report["bad"]:
        raise RuntimeError(f"{deliveries} events were accepted, the receiver says {report}")
    seconds: float = report["last_at"] - started
    return seconds


async def latencies(receiver: Receiver, serving: Serving, webhooks: int, count: int, per_s: float) -> dict[str, float]:
    """From the first byte of a client's POST to the receiver's socket, in milliseconds."""
    await receiver.ask(reset=count, times=True)

    def named() -> Iterator[tuple[str, bytes]]:
        for number in range(count):
            name = f"late {number}"
            body = msgspec.json.encode(event(1_000 + number % webhooks, name))
            yield name, client.request(serving.token, body)

    sent = await client.publish_paced(serving.port, named(), per_s, CLIENTS)
    report = await receiver.ask(wait=LIMIT_S)
    taken = sorted((report["times"][name] - at) * 1000 for name, at in sent.items())
    return {"p50": percentile(taken, 50), "p99": percentile(taken, 99)}


def percentile(ascending: Sequence[float], percent: int) -> float:
    return ascending[max(math.ceil(len(ascending) * percent / 100) - 1, 0)]
