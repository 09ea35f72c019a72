"""The history's rows on disk, and how they are written: one for each delivery, one for each webhook, and small tables.

Only what a question may ask for has a column of its own: each costs every delivery as much as a third of its index
entry. One index leads to the deliveries of a webhook. Two more hold only what is not delivered, by how it went: looking
for trouble does not walk through what went well, and a delivery that was never seen otherwise than delivered costs them
nothing. Triggers have no index; which of them occur in a stretch of numbers is kept instead, for next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from core.ledger.sqlite import ROWS_PER_STATEMENT
from core.ledger.view_store import Writing
from core.model.delivery import Redelivery, Replay, State

Item = TypeVar("Item")

NAME = "history/2"
"""The number is the version of the fold; another number is another set of tables."""

STATES: tuple[State, ...] = ("pending", "retrying", "delivered", "failed", "cancelled")
"""A row holds the index of its state in here."""
PENDING, RETRYING, DELIVERED, FAILED, CANCELLED = range(5)

STATUS_CLASSES = 6
"""0: no answer, or no attempt yet; 1 for 1xx, and so on; 5 for everything from 500 on."""


def outcome_of(state: int, status: int | None) -> int:
    """How a delivery went so far, as one number that an index can lead to: its state, and the class of its status."""
    return state * 10 + (0 if status is None else min(status // 100, STATUS_CLASSES - 1))


WENT_WELL = DELIVERED * 10 + 2
"""The outcome of whatever is delivered."""
TROUBLE = f"outcome<>{WENT_WELL}"
"""A question that says this in these words may use the indexes that hold nothing else."""

STRETCH_BITS = 12
"""A stretch is so many numbers of deliveries: all that are the same but for their lowest bits."""
TRIGGER_BIT_MAX = 62
"""All triggers from this one on share a bit."""

TABLES = (
    "CREATE TABLE IF NOT EXISTS history_2 (number INTEGER PRIMARY KEY, webhook INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, status INTEGER, trigger INTEGER NOT NULL, details BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS history_2_webhook ON history_2 (webhook)",
    f"CREATE INDEX IF NOT EXISTS history_2_trouble ON history_2 (outcome) WHERE {TROUBLE}",
    f"CREATE INDEX IF NOT EXISTS history_2_webhook_trouble ON history_2 (webhook, outcome) WHERE {TROUBLE}",
    "CREATE TABLE IF NOT EXISTS history_webhooks_2 (webhook INTEGER PRIMARY KEY, tenant TEXT NOT NULL,"
    " pending INTEGER NOT NULL, retrying INTEGER NOT NULL, delivered INTEGER NOT NULL, failed INTEGER NOT NULL,"
    " cancelled INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS history_webhooks_2_tenant ON history_webhooks_2 (tenant)",
    "CREATE TABLE IF NOT EXISTS history_triggers_2 (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS history_stretches_2 (stretch INTEGER PRIMARY KEY, triggers INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS history_redeliveries_2 (number INTEGER PRIMARY KEY, of INTEGER NOT NULL,"
    " event INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS history_redeliveries_2_of ON history_redeliveries_2 (of)",
    "CREATE INDEX IF NOT EXISTS history_redeliveries_2_event ON history_redeliveries_2 (event)",
)

ADD_TRIGGERS = " ON CONFLICT (stretch) DO UPDATE SET triggers=history_stretches_2.triggers|excluded.triggers"
ADD_COUNTS = " ON CONFLICT (webhook) DO UPDATE SET " + ", ".join(
    f"{state}=history_webhooks_2.{state}+excluded.{state}" for state in STATES
)


class Request(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One attempt as a list shows it; times in milliseconds. `reason` is cut; the ledger has all of it."""

    number: int
    started: int
    took: int
    status: int | None
    reason: str
    is_late: bool


class Details(msgspec.Struct, array_like=True, gc=False):
    """The part of a delivery's row that no index leads to; msgpack in its last column.

    `event` and `event_id` are its portal event's number, and the portal's id of it, `targets` the entities that is
    about; `delivery` is its own stream.
    """

    event: int
    event_id: str
    targets: tuple[int | str, ...]
    delivery: bytes
    cause: Redelivery | Replay | None
    created_at: int
    next_due: int | None
    ended_at: int | None
    requests: tuple[Request, ...]


class Row(msgspec.Struct, gc=False):
    """A delivery's row. `tenant` and `trigger` are those of a new one; what was read back to be moved on has none."""

    number: int
    webhook: int
    state: int
    status: int | None
    tenant: str
    trigger: str
    details: Details


encode_details = msgspec.msgpack.Encoder().encode
decode_details = msgspec.msgpack.Decoder(Details).decode


def rows_of(connection: Writing, numbers: Sequence[int]) -> list[Row]:
    """The rows on disk of these deliveries, to be moved on."""
    return [
        Row(number, webhook, outcome // 10, status, "", "", decode_details(details))
        for number, webhook, outcome, status, details in connection.among(
            "SELECT number, webhook, outcome, status, details FROM history_2 WHERE number IN ({})", numbers
        )
    ]


def insert(connection: Writing, rows: Sequence[Row]) -> None:
    """Add deliveries that have no row yet, in the order of their numbers."""
    encode = encode_details
    triggers = {name: id for id, name in connection.execute("SELECT id, name FROM history_triggers_2")}
    known = len(triggers)
    stretches: dict[int, int] = {}
    redeliveries: list[int] = []
    values: list[Any] = []
    for row in rows:
        number, details, id = row.number, row.details, triggers.get(row.trigger)
        if id is None:
            id = triggers[row.trigger] = len(triggers)
        stretch = number >> STRETCH_BITS
        stretches[stretch] = stretches.get(stretch, 0) | trigger_bit(id)
        if type(details.cause) is Redelivery:
            redeliveries += (number, details.cause.of, details.event)
        values += (number, row.webhook, outcome_of(row.state, row.status), row.status, id, encode(details))
    connection.insert("history_2", 6, values)
    connection.insert("history_redeliveries_2", 3, redeliveries)
    new = [value for name, id in list(triggers.items())[known:] for value in (id, name)]
    connection.insert("history_triggers_2", 2, new)
    connection.insert("history_stretches_2", 2, [value for item in stretches.items() for value in item], ADD_TRIGGERS)


def trigger_bit(id: int) -> int:
    """What stands for a trigger in a stretch."""
    return 1 << min(id, TRIGGER_BIT_MAX)


def move(connection: Writing, rows: Sequence[Row]) -> None:
    """Bring rows that are on disk to where their deliveries are now."""
    values: list[Any] = []
    for row in rows:
        values += (row.number, outcome_of(row.state, row.status), row.status, encode_details(row.details))
    connection.update("history_2", ("number", "outcome", "status", "details"), values)


def count(connection: Writing, changes: Mapping[tuple[int, str], list[int]]) -> None:
    """Add to the number of deliveries in each state, of each webhook: (webhook, its tenant) → what to add."""
    values: list[Any] = []
    for webhook, by_state in changes.items():
        values += (*webhook, *by_state)
    connection.insert("history_webhooks_2", 7, values, ADD_COUNTS)


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """In pieces of few different sizes, so that their statements stay prepared."""
    start = 0
    for size in ROWS_PER_STATEMENT:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size
