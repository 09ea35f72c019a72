"""`python -m delivery.bench.postgres_writer URL SCHEMA append|copy`: one process that writes a ledger on PostgreSQL.

`append` writes as the service does; `copy` puts the same rows of the same units in by binary COPY, under the same lock,
knowing before it begins what they are. For each line with a number it makes so many units, says "ready", waits for
another line, appends them, and says how long that took.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
from psycopg import Cursor

from core.clock import SystemClock
from core.ledger.postgres.append import PostgresAppender, PostgresClaims
from core.ledger.postgres.recorder import Connection, PostgresRecorder, connect
from core.ledger.unit import ZERO_VERSION, Condition, Unit
from core.model.topics import Codec
from delivery.bench.prefill import Past
from delivery.bench.stage import TENANT
from delivery.loop import COLLECT_AFTER

EVENTS = 500
"""Recorded events in one commit."""
LOCK = (
    "BEGIN; SELECT pg_advisory_xact_lock(8420, hashtext(current_schema()::text));"
    " SELECT coalesce((SELECT last FROM commits ORDER BY last DESC LIMIT 1), 0)"
)
TABLES = (
    ("events (position, stream, version, topic, state)", ("int8", "bytea", "int8", "text", "bytea")),
    ("claims (key, position)", ("bytea", "int8")),
    ("bodies (position, salt, data, payload)", ("int8", "bytea", "bytea", "bytea")),
)


class Append:
    """As the service does."""

    def __init__(self, recorder: PostgresRecorder) -> None:
        self._appender = PostgresAppender(recorder, Codec(), os.urandom(16))

    def ready(self, units: Sequence[Unit]) -> Callable[[], None]:
        """What writes them."""

        def write() -> None:
            answers = self._appender.append(units, SystemClock().now_ms()).answers
            assert all(type(answer) is int for answer in answers), answers

        return write


class Copy:
    """As fast as rows get into the same tables in order."""

    def __init__(self, recorder: PostgresRecorder) -> None:
        self._encode, self._key = Codec().encode, PostgresClaims(recorder).key
        self._connection: Connection = connect(recorder.url, recorder.schema)
        self._cursor = self._connection.cursor()

    def ready(self, units: Sequence[Unit]) -> Callable[[], None]:
        """What writes them; positions come under the lock, so all else is there before it."""
        events: list[tuple[Any, ...]] = []
        claims: list[tuple[bytes, int]] = []
        bodies: list[tuple[Any, ...]] = []
        for unit in units:
            assert unit.claim is not None
            claims.append((self._key(unit.claim), len(events) + 1))
            bodies += [(len(events) + 1 + body.entry, *body[1:]) for body in unit.bodies]
            events += [(stream, version, *self._encode(event)) for stream, version, event in unit.entries]
        cursor = self._cursor

        def write() -> None:
            cursor.execute(LOCK)
            for _ in range(2):
                cursor.nextset()
            ((before,),) = cursor.fetchall()
            _copy(cursor, 0, ((place, *row) for place, row in enumerate(events, before + 1)))
            _copy(cursor, 1, ((key, before + place) for key, place in claims))
            _copy(cursor, 2, ((before + place, *row) for place, *row in bodies))
            last, at = before + len(events), SystemClock().now_ms()
            cursor.execute(
                f"INSERT INTO commits VALUES ({last}, {before + 1}, {at});"
                f" SELECT pg_notify('hookledger', current_schema() || ' {last}'); COMMIT"
            )

        return write


def _copy(cursor: Cursor[Any], table: int, rows: Any) -> None:
    name, kinds = TABLES[table]
    with cursor.copy(f"COPY {name} FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(kinds)
        for row in rows:
            copy.write_row(row)


def main(url: str, schema: str, how: str) -> None:
    """Write as often as it is asked to."""
    gc.set_threshold(*COLLECT_AFTER)
    recorder, past = PostgresRecorder(url, schema), Past(range(1, 101))
    writer = Append(recorder) if how == "append" else Copy(recorder)
    for line in sys.stdin:
        writes = [writer.ready(_units(past)) for _ in range(int(line) // EVENTS)]
        click.echo("ready")
        sys.stdin.readline()
        for write in writes:
            write()
        click.echo("done")


def _units(past: Past) -> list[Unit]:
    """As intake makes them: each with its condition."""
    units = [past.received(number) for number in range(EVENTS // 2)]
    for unit in units:
        unit.condition = Condition(TENANT, ZERO_VERSION, ZERO_VERSION)
    return units


if __name__ == "__main__":
    main(*sys.argv[1:])
