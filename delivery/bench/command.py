"""`hookledger bench`: measure this machine, this version, and say how."""

from __future__ import annotations

import asyncio
import json
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from core.epilog import epilog
from delivery.bench import measure, measure_http, measure_load, measure_memory
from delivery.bench.measure_rebuild import rebuild_pace
from delivery.bench.stage import Receiver
from delivery.loop import run


@click.command("bench", epilog=epilog("hookledger bench --events 5000", "hookledger bench --json"))
@click.option("--webhooks", default=100, show_default=True, type=click.IntRange(2), help="Webhooks, by target.")
@click.option("--events", default=20_000, show_default=True, type=click.IntRange(1_000), help="Events in each run.")
@click.option(
    "--slow-receivers",
    default=10,
    show_default=True,
    type=click.IntRange(0, 90),
    help="Percent of the webhooks that hang in the run beside hanging receivers; 0 leaves it out.",
)
@click.option(
    "--slow-backlog", default=10_000, show_default=True, type=click.IntRange(0), help="Due rows of each that hangs."
)
@click.option(
    "--prefill",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Also measure growth: a ledger with so many events, memory at a tenth, a backlog of half.",
)
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Where ledgers are made; a temporary place.")
@click.option(
    "--database", metavar="URL", help="Measure on this PostgreSQL instead, in schemas that are dropped again."
)
@click.option(
    "--kafka", metavar="HOST:PORT", help="With --database: also a process for each role, with this Kafka between them."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(
    webhooks: int,
    events: int,
    slow_receivers: int,
    slow_backlog: int,
    prefill: int,
    directory: Path | None,
    database: str | None,
    kafka: str | None,
    as_json: bool,
) -> None:
    """Measure the pipeline beside a bare loop of POSTs, in one run on this machine.

    Figures are medians; trust the ratios. The receiver, `serve` and the clients are processes of their own, all on
    127.0.0.1. A full run takes some minutes.
    """
    if kafka is not None and database is None:
        raise click.UsageError("--kafka needs a --database, which its processes share")
    place = Path(tempfile.mkdtemp(prefix="hookledger-bench-", dir=directory))
    try:
        if database is None:
            figures = run(_measure(place, webhooks, events, slow_receivers, slow_backlog, prefill))
        else:
            figures = run(_measure_database(place, database, kafka, webhooks, events))
    finally:
        shutil.rmtree(place)
    if as_json:
        click.echo(json.dumps(figures))
    else:
        for name, value in figures.items():
            click.echo(f"{name:24} {round(value, 3) if isinstance(value, float) else json.dumps(value)}")


async def _measure(place: Path, webhooks: int, events: int, percent: int, backlog: int, past: int) -> dict[str, Any]:
    figures: dict[str, Any] = {"machine": f"{platform.machine()} {platform.python_version()}"}
    receiver = await Receiver.started()
    try:
        _say("a, b: bare and pipeline in turn, with a fan-out beside them")
        figures |= await measure.a_and_b(receiver, place / "b", webhooks, events)
        figures |= await _in_new_process(place / "b")
        _say("rebuild")
        figures |= await rebuild_pace(place / "b")
        _say("c: naive")
        figures |= await measure.naive(receiver, place / "c", webhooks, events)
        _say("d, e: over HTTP")
        figures |= await measure_http.over_http(receiver, place / "d", webhooks, events, figures["bare_per_s"])
        figures["ratio_cpu_http_batch"] = figures["cpu_us_per_delivery"] / figures["cpu_us_http_batch"]
        if percent:
            _say("beside receivers that hang")
            figures |= await measure_load.slow_receivers(receiver, place / "s", webhooks, events, percent, backlog)
        if past:
            _say("on a ledger with a past")
            figures |= await measure_load.growth(receiver, place / "g", webhooks, events, past)
            _say("memory and restart")
            figures |= await measure_memory.memory(receiver, place / "m", webhooks, past // 40, past // 10)
            figures |= await measure_memory.backlog(receiver, place / "p", webhooks, past // 2)
            figures |= await measure_memory.restart(receiver, place / "r", webhooks, past, past // 200)
    finally:
        await receiver.stop()
    return figures


async def _measure_database(place: Path, url: str, kafka: str | None, webhooks: int, events: int) -> dict[str, Any]:
    from delivery.bench import measure_database  # noqa: PLC0415 -- an extra

    figures: dict[str, Any] = {"machine": f"{platform.machine()} {platform.python_version()}"}
    receiver = await Receiver.started()
    try:
        _say("a, b: bare and pipeline in turn, with a fan-out beside them")
        figures |= await measure_database.a_and_b(receiver, place / "b", url, webhooks, events)
        _say("d: over HTTP, one process, and two")
        bare_per_s = figures["bare_per_s"]
        figures |= await measure_database.over_http(receiver, place, url, webhooks, events, bare_per_s)
        if kafka is not None:
            from delivery.bench import measure_kafka  # noqa: PLC0415 -- an extra

            _say("k: over Kafka, a process for each role")
            figures |= await measure_kafka.over_kafka(receiver, place, url, kafka, webhooks, events, bare_per_s)
    finally:
        await receiver.stop()
    return figures


async def _in_new_process(data: Path) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "delivery.bench.size", str(data), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    answer: dict[str, Any] = json.loads(output)
    return answer


def _say(what: str) -> None:
    click.echo(f"bench: {what}", err=True)
