"""The outbox's rows on disk: every delivery that has not ended, by webhook and when it is due."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from core.ledger.read import Reader
from core.ledger.view_store import ViewStore, Writing
from core.model.portal_event import Received
from delivery.rows import QUICK, Content, Lane, Row

NAME = "outbox/1"
"""The number is the version of the fold; another number is another set of tables."""

TABLES = (
    "CREATE TABLE IF NOT EXISTS outbox_1 (number INTEGER PRIMARY KEY, webhook INTEGER NOT NULL,"
    " delivery BLOB NOT NULL, event BLOB NOT NULL, version INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    " due INTEGER NOT NULL, failed_at INTEGER, failure TEXT)",
    "CREATE INDEX IF NOT EXISTS outbox_1_due ON outbox_1 (webhook, due, number)",
    "CREATE TABLE IF NOT EXISTS outbox_webhooks_1 (webhook INTEGER PRIMARY KEY, last_success INTEGER,"
    " failing_since INTEGER, held_until INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS reactions_1 (webhook INTEGER PRIMARY KEY, reason TEXT NOT NULL,"
    " cause INTEGER NOT NULL)",
)

COLUMNS = "number, webhook, delivery, event, version, attempt, due, failed_at, failure"

REPLACE_LANE = (
    " ON CONFLICT (webhook) DO UPDATE SET last_success=excluded.last_success, failing_since=excluded.failing_since,"
    " held_until=excluded.held_until"
)
REPLACE_REACTION = " ON CONFLICT (webhook) DO UPDATE SET reason=excluded.reason, cause=excluded.cause"


class Moved(NamedTuple):
    """A delivery on disk goes on to its next attempt."""

    number: int
    version: int
    attempt: int
    due: int
    failed_at: int
    failure: str
    webhook: int


MOVED = Moved._fields[:-1]
"""What is written of it; the first is the row's key."""


class Batch(msgspec.Struct):
    """What the outbox gathered: rows to insert, move and delete, and what changed of webhooks."""

    inserted: dict[int, Row]
    values: list[Any]
    """The inserted rows' values, flat, as they were when the batch was made."""
    moved: dict[int, Moved]
    late: dict[int, int]
    """Rows that stay as they are but for the version of their stream."""
    deleted: dict[int, None]
    lanes: list[tuple[int, int | None, int | None, int]]
    reactions: dict[int, tuple[str, int] | None]
    shift_ms: int = 0
    """So far the clock was set meanwhile: all else in the batch is as it is after that."""


class Want(NamedTuple):
    """How many rows a lane wants, after which (due, number)."""

    webhook: int
    limit: int
    cursor: tuple[int, int]


class Stock(NamedTuple):
    """What a refill found for one lane: due rows, whether there are more, and when the next after them is due."""

    rows: list[Row]
    has_more: bool
    wake_at: int | None


class Due(NamedTuple):
    """Rows of one webhook that are due, and when the first of them came to be."""

    rows: int
    first: int


def write(connection: Writing, batch: Batch) -> None:
    """Write a batch inside the follower's transaction."""
    if batch.shift_ms:
        _shift(connection, batch.shift_ms)
    connection.insert("outbox_1", 9, batch.values)
    moved = [value for row in batch.moved.values() for value in row[: len(MOVED)]]
    connection.update("outbox_1", MOVED, moved)
    connection.update("outbox_1", ("number", "version"), [value for item in batch.late.items() for value in item])
    connection.among("DELETE FROM outbox_1 WHERE number IN ({})", list(batch.deleted))
    connection.insert("outbox_webhooks_1", 4, [value for lane in batch.lanes for value in lane], REPLACE_LANE)
    for webhook, reaction in batch.reactions.items():
        if reaction is None:
            connection.execute("DELETE FROM reactions_1 WHERE webhook=?", (webhook,))
        else:
            connection.execute(f"INSERT INTO reactions_1 VALUES (?,?,?){REPLACE_REACTION}", (webhook, *reaction))


def _shift(connection: Writing, by_ms: int) -> None:
    """As `Lane.shift`, for what is on disk."""
    connection.execute("UPDATE outbox_1 SET due=due+?", (by_ms,))
    connection.execute("UPDATE outbox_webhooks_1 SET held_until=max(held_until+?, 0) WHERE held_until>0", (by_ms,))
    connection.execute("UPDATE outbox_webhooks_1 SET failing_since=failing_since+?", (by_ms,))


def lanes(views: ViewStore, now_ms: int) -> list[Lane]:
    """All webhooks that have rows or a past, as they were left."""
    found: dict[int, Lane] = {}
    for webhook, due, count in views.rows("SELECT webhook, min(due), count(*) FROM outbox_1 GROUP BY webhook"):
        lane = found[webhook] = Lane(webhook)
        lane.open = count
        lane.spilled = due <= now_ms
        lane.wake_at = None if lane.spilled else due
    for webhook, last_success, failing_since, held_until in views.rows("SELECT * FROM outbox_webhooks_1"):
        lane = found.setdefault(webhook, Lane(webhook))
        lane.last_success, lane.failing_since = last_success, failing_since
        if last_success is not None and failing_since is None:
            lane.standing = QUICK
        lane.held_until = lane.recorded_hold = held_until
    return list(found.values())


def count(views: ViewStore) -> int:
    """How many deliveries have not ended."""
    ((rows,),) = views.rows("SELECT count(*) FROM outbox_1")
    return int(rows)


def due(views: ViewStore, now_ms: int) -> dict[int, Due]:
    """How many rows of each webhook are due, and since when the first is; blocks."""
    sql = "SELECT webhook, count(*), min(due) FROM outbox_1 WHERE due<=? GROUP BY webhook"
    return {webhook: Due(count, first) for webhook, count, first in views.rows(sql, (now_ms,))}


def reactions(views: ViewStore) -> dict[int, tuple[str, int]]:
    """Reactions that were decided and not yet seen in the ledger: webhook → (reason, cause)."""
    return {webhook: (reason, cause) for webhook, reason, cause in views.rows("SELECT * FROM reactions_1")}


def stock(views: ViewStore, reader: Reader, wants: list[Want], now_ms: int) -> dict[int, Stock]:
    """Due rows for each lane that wants some, oldest first, with their content; blocks."""
    found: dict[int, Stock] = {}
    for webhook, limit, cursor in wants:
        rows = [
            Row(*values[:7], *values[7:])
            for values in views.rows(
                f"SELECT {COLUMNS} FROM outbox_1 WHERE webhook=? AND (due, number)>(?,?) AND due<=?"
                " ORDER BY due, number LIMIT ?",
                (webhook, *cursor, now_ms, limit),
            )
        ]
        (wake_at,) = views.rows("SELECT min(due) FROM outbox_1 WHERE webhook=? AND due>?", (webhook, now_ms))[0]
        found[webhook] = Stock(rows, len(rows) == limit, wake_at)
    fill(reader, [row for stocked in found.values() for row in stocked.rows])
    return found


def fill(reader: Reader, rows: list[Row]) -> None:
    """Read the content of rows from the ledger; a row whose body was forgotten stays without."""
    events = reader.first_of({row.event for row in rows})
    bodies = reader.bodies([recorded.position for recorded in events.values()])
    contents: dict[bytes, Content] = {}
    for stream, recorded in events.items():
        body = bodies.get(recorded.position)
        if body is not None and body.payload is not None and isinstance(recorded.event, Received):
            contents[stream] = Content(recorded.event, body.payload)
    for row in rows:
        row.content = contents.get(row.event)


def numbers_of(views: ViewStore, webhook: int, limit: int) -> list[tuple[int, bytes, int]]:
    """Deliveries of one webhook that have not ended: (number, stream, version)."""
    return [
        (number, delivery, version)
        for number, delivery, version in views.rows(
            "SELECT number, delivery, version FROM outbox_1 WHERE webhook=? ORDER BY due, number LIMIT ?",
            (webhook, limit),
        )
    ]
