"""The history's rows on disk: one for each delivery, one for each webhook, and how both are written.

Only what a question may ask for has a column of its own: each costs every delivery as much as a third of its index
entry. Two indexes lead to the newest deliveries of a webhook and of a tenant. Two more hold only what is not
delivered: looking for trouble does not walk through what went well, and a delivery that was never seen otherwise
than delivered costs them nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec

from core.ledger.sqlite import ROWS_PER_STATEMENT, insert_rows
from core.model.delivery import Redelivery, Replay, State

Item = TypeVar("Item")

NAME = "history/1"
"""The number is the version of the fold; another number is another set of tables."""

STATES: tuple[State, ...] = ("pending", "retrying", "delivered", "failed", "cancelled")
"""A row holds the index of its state in here."""
PENDING, RETRYING, DELIVERED, FAILED, CANCELLED = range(5)

NOT_DELIVERED = f"state<>{DELIVERED}"
"""A question that says this in these words may use the indexes that hold nothing else."""

TABLES = (
    "CREATE TABLE IF NOT EXISTS history_1 (number INTEGER PRIMARY KEY, webhook INTEGER NOT NULL,"
    " state INTEGER NOT NULL, status INTEGER, tenant TEXT NOT NULL, trigger TEXT NOT NULL, details BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS history_1_webhook ON history_1 (webhook)",
    "CREATE INDEX IF NOT EXISTS history_1_tenant ON history_1 (tenant)",
    f"CREATE INDEX IF NOT EXISTS history_1_webhook_trouble ON history_1 (webhook) WHERE {NOT_DELIVERED}",
    f"CREATE INDEX IF NOT EXISTS history_1_tenant_trouble ON history_1 (tenant) WHERE {NOT_DELIVERED}",
    "CREATE TABLE IF NOT EXISTS history_webhooks_1 (webhook INTEGER PRIMARY KEY, pending INTEGER NOT NULL,"
    " retrying INTEGER NOT NULL, delivered INTEGER NOT NULL, failed INTEGER NOT NULL, cancelled INTEGER NOT NULL)",
)

COLUMNS = "number, webhook, state, status, tenant, trigger, details"


class Request(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One attempt as a list shows it; times in milliseconds. `reason` is cut; the ledger has all of it."""

    number: int
    started: int
    took: int
    status: int | None
    reason: str
    is_late: bool


class Details(msgspec.Struct, array_like=True, gc=False):
    """The part of a delivery's row that is shown, and not asked for; msgpack in its last column.

    `event` and `event_id` are its portal event's number, and the portal's id of it; `delivery` is its own stream.
    """

    event: int
    event_id: str
    delivery: bytes
    cause: Redelivery | Replay | None
    created_at: int
    next_due: int | None
    ended_at: int | None
    requests: tuple[Request, ...]


class Row(msgspec.Struct, gc=False):
    """A delivery's row."""

    number: int
    webhook: int
    state: int
    status: int | None
    tenant: str
    trigger: str
    details: Details


encode_details = msgspec.msgpack.Encoder().encode
decode_details = msgspec.msgpack.Decoder(Details).decode


def row_of(values: Sequence[Any]) -> Row:
    """A row from its COLUMNS."""
    number, webhook, state, status, tenant, trigger, details = values
    return Row(number, webhook, state, status, tenant, trigger, decode_details(details))


def rows_of(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[Row]:
    """The rows on disk of these deliveries."""
    found: list[Row] = []
    for some in chunks(numbers):
        sql = f"SELECT {COLUMNS} FROM history_1 WHERE number IN ({','.join('?' * len(some))})"
        found += [row_of(values) for values in connection.execute(sql, some)]
    return found


def insert(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Add deliveries that have no row yet."""
    encode = encode_details
    values: list[Any] = []
    for row in rows:
        values += (row.number, row.webhook, row.state, row.status, row.tenant, row.trigger, encode(row.details))
    insert_rows(connection, "history_1", 7, values)


def move(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Bring rows that are on disk to where their deliveries are now."""
    for some in chunks(rows):
        values: list[Any] = []
        for row in some:
            values += (row.number, row.state, row.status, encode_details(row.details))
        connection.execute(_update(len(some)), values)


def count(connection: sqlite3.Connection, changes: dict[int, list[int]]) -> None:
    """Add to each webhook's number of deliveries in each state."""
    for some in chunks(list(changes.items())):
        values: list[int] = []
        for webhook, by_state in some:
            values += (webhook, *by_state)
        connection.execute(_upsert(len(some)), values)


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """In pieces of few different sizes, so that their statements stay prepared."""
    start = 0
    for size in ROWS_PER_STATEMENT:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size


@cache
def _update(rows: int) -> str:
    return (
        "UPDATE history_1 SET state=v.column2, status=v.column3, details=v.column4"
        f" FROM (VALUES {','.join(['(?,?,?,?)'] * rows)}) AS v WHERE history_1.number=v.column1"
    )


@cache
def _upsert(rows: int) -> str:
    added = ", ".join(f"{state}={state}+excluded.{state}" for state in STATES)
    marks = ",".join(["(?,?,?,?,?,?)"] * rows)
    return f"INSERT INTO history_webhooks_1 VALUES {marks} ON CONFLICT (webhook) DO UPDATE SET {added}"
