"""The pipeline on a PostgreSQL database: beside the bare loop, and over HTTP with one process and with two.

Each run has a schema of its own, which is dropped at its end. CPU is told by process; that of PostgreSQL only where its
processes are on this machine.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from core.ledger.postgres.database import connected
from core.ledger.postgres.founding import found
from core.ledger.postgres.migrate import views_schema
from core.ledger.store import Database
from core.settings import KEY_VARIABLE
from delivery.bench import client
from delivery.bench.measure import ROUNDS, bare_pace, paces
from delivery.bench.measure_http import latencies, publish
from delivery.bench.pipeline import Pipeline
from delivery.bench.serving import Serving, cpu_s
from delivery.bench.stage import FANOUT, Receiver, batches, fan_batches, make_fanout, make_webhooks

CLIENTS = 50
ENVIRONMENT = {KEY_VARIABLE: "b" * 64}
"""The master key of ledgers that live for a bench."""


@asynccontextmanager
async def ledger(url: str) -> AsyncIterator[Database]:
    """An empty ledger in a schema of its own, for as long as it is entered."""
    database = Database(url, f"hookledger_bench_{os.getpid()}_{time.monotonic_ns() % 10**9}")
    with connected(url, "public") as connection:
        found(connection, database.schema, ENVIRONMENT, Path(os.devnull), os.urandom)
        try:
            yield database
        finally:
            for schema in (database.schema, views_schema(database.schema)):
                connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))


class Cpu:
    """CPU seconds by process, from its making on."""

    def __init__(self, url: str, others: Mapping[str, int]) -> None:
        """*others*: process ids by what to call them."""
        self._url, self._others = url, others
        self._before = self._now()

    def us_per(self, count: int) -> dict[str, float]:
        """Microseconds for each of *count*, by process."""
        now = self._now()
        return {
            name: round((used - self._before.get(name, 0)) / count * 1e6, 1)
            for name, used in now.items()
            if used - self._before.get(name, 0) > 0
        }

    def _now(self) -> dict[str, float]:
        used = {name: cpu_s(pid) for name, pid in self._others.items()}
        with closing(psycopg.connect(self._url, autocommit=True)) as connection:
            for pid, kind in connection.execute("SELECT pid, backend_type FROM pg_stat_activity").fetchall():
                with suppress(OSError):
                    if Path(f"/proc/{pid}/comm").read_text().startswith("postgres"):
                        name = "postgresql" if kind == "client backend" else "postgresql, background"
                        used[name] = used.get(name, 0) + cpu_s(pid)
        return used


async def a_and_b(receiver: Receiver, data: Path, url: str, webhooks: int, events: int) -> dict[str, Any]:
    """As `measure.a_and_b`, on a database."""
    async with ledger(url) as database, Pipeline(data, database=database, environment=ENVIRONMENT) as pipeline:
        commands = pipeline.service.office.webhooks
        await make_webhooks(commands, receiver.port, webhooks)
        await make_fanout(commands, receiver.port, FANOUT)
        await pipeline.run(receiver, batches(webhooks * 20, webhooks), webhooks * 20)
        body = (await receiver.ask(wait=0))["body"].encode()
        bares, pipes, fans = [], [], []
        spent: list[dict[str, float]] = []
        for _ in range(ROUNDS):
            bares.append(await bare_pace(receiver, webhooks, body, events))
            cpu = Cpu(url, {"hookledger": os.getpid(), "receiver": receiver.pid})
            pipes.append(await pipeline.run(receiver, batches(events, webhooks), events))
            spent.append(cpu.us_per(events))
            fan = fan_batches(events)
            fans.append(await pipeline.run(receiver, fan, len(fan) * 10 * FANOUT))
    return {
        **paces(bares, pipes, fans),
        "cpu_us_bare": statistics.median(pace.cpu_us for pace in bares),
        "cpu_us_per_delivery": {name: statistics.median(one.get(name, 0) for one in spent) for name in spent[0]},
    }


async def over_http(
    receiver: Receiver, place: Path, url: str, webhooks: int, events: int, bare_per_s: float
) -> dict[str, Any]:
    """Published over HTTP: to one process that does all, and to `api` beside `outbox` and `worker`."""
    figures: dict[str, Any] = {}
    for name, split in (("all_in_one", False), ("api_apart", True)):
        async with ledger(url) as database, AsyncExitStack() as running:
            async with Pipeline(place / f"{name}-0", database=database, environment=ENVIRONMENT) as pipeline:
                await make_webhooks(pipeline.service.office.webhooks, receiver.port, webhooks)
            environment = {
                **ENVIRONMENT,
                "HOOKLEDGER_DATABASE": url,
                "HOOKLEDGER_SCHEMA": database.schema,
                "HOOKLEDGER_ALLOW_TARGET": "127.0.0.0/8",
            }
            roles = ("--role", "api") if split else ()
            api = await running.enter_async_context(Serving(place / f"{name}-1", words=roles, environment=environment))
            watched = {"hookledger" if not split else "hookledger api": api.pid, "receiver": receiver.pid}
            if split:
                words = ("--role", "outbox", "--role", "worker")
                carrying = await running.enter_async_context(
                    Serving(place / f"{name}-2", token=api.token, words=words, environment=environment)
                )
                watched["hookledger outbox, worker"] = carrying.pid

            def requests(count: int, size: int, token: str = api.token) -> list[bytes]:
                return [client.request(token, body) for body in batches(count, webhooks, size)]

            await publish(receiver, api, requests(webhooks * 20, 100), webhooks * 20, 4)
            cpu = Cpu(url, watched)
            batch_s = await publish(receiver, api, requests(events, 100), events, 4)
            figures[f"{name}_cpu_us"] = cpu.us_per(events)
            single_s = await publish(receiver, api, requests(events // 4, 1), events // 4, CLIENTS)
            idle = await latencies(receiver, api, webhooks, min(events // 50, 400), 40.0)
            figures[f"{name}_idle_latency_ms"] = idle
            figures[f"{name}_batch_per_s"] = events / batch_s
            figures[f"{name}_batch_ratio"] = events / batch_s / bare_per_s
            figures[f"{name}_single_per_s"] = events // 4 / single_s
    return figures
