"""`python -m delivery.bench.measure_postgres URL`: how fast a ledger on PostgreSQL takes events, beside binary COPY.

Both write the same rows into tables of the same form on the same server, in turn in one run, 500 events to a commit,
under the same lock, by 1, 2 and 4 processes. It makes two schemas, and drops them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from statistics import median
from typing import Any

import psycopg

from core.ledger.postgres.migrate import migrate, views_schema

WRITERS = (1, 2, 4)
ROUNDS = 9
EVENTS = 20_000
"""In each measurement, shared by the writers."""


class Writer:
    """A process that writes, as seen from here."""

    def __init__(self, url: str, schema: str, how: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 -- ourselves
            [sys.executable, "-m", "delivery.bench.postgres_writer", url, schema, how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")

    def hear(self, line: str) -> None:
        assert self._process.stdout is not None
        heard = self._process.stdout.readline().strip()
        if heard != line:
            raise RuntimeError(f"a writer said {heard!r}, not {line!r}")

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


def insert_rates(url: str, rounds: int = ROUNDS, events: int = EVENTS) -> dict[str, Any]:
    """Events a second by number of writers, medians of the rounds, and the median of their ratios."""
    schemas = {how: f"hookledger_bench_{how}_{os.getpid()}" for how in ("append", "copy")}
    rates: dict[tuple[str, int], list[float]] = {(how, count): [] for count in WRITERS for how in schemas}
    with psycopg.connect(url, autocommit=True) as connection, ExitStack() as stack:
        for schema in schemas.values():
            migrate(connection, schema)
            stack.callback(connection.execute, f"DROP SCHEMA {schema}, {views_schema(schema)} CASCADE")
        processes = {
            how: [stack.enter_context(Writer(url, schema, how)) for _ in range(max(WRITERS))]
            for how, schema in schemas.items()
        }
        for number in range(-1, rounds):
            for (how, count), found in rates.items():
                rate = _rate(processes[how][:count], events)
                if number >= 0:  # before that, it is warming up
                    found.append(rate)
    return {str(count): _figures(rates["append", count], rates["copy", count]) for count in WRITERS}


def _rate(writers: list[Writer], events: int) -> float:
    for writer in writers:
        writer.tell(str(events // len(writers)))
    for writer in writers:
        writer.hear("ready")
    begun = time.perf_counter()
    for writer in writers:
        writer.tell("go")
    for writer in writers:
        writer.hear("done")
    return events / (time.perf_counter() - begun)


def _figures(append: list[float], copy: list[float]) -> dict[str, Any]:
    ratios = sorted(ours / theirs for ours, theirs in zip(append, copy, strict=True))
    return {
        "append_per_s": round(median(append)),
        "copy_per_s": round(median(copy)),
        "ratio": round(median(ratios), 3),
        "ratios": [round(ratios[0], 3), round(ratios[-1], 3)],
    }


if __name__ == "__main__":
    json.dump(insert_rates(sys.argv[1]), sys.stdout, indent=1)
