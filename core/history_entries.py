"""What people are shown of the history: deliveries by page, one of them, how each webhook fares; all of it blocks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypedDict

import msgspec

from core.history_table import COLUMNS, NOT_DELIVERED, STATES, Request, chunks, decode_details, row_of
from core.ledger.read import Reader
from core.ledger.views import Views
from core.model.delivery import Redelivery, Replay, State


class Entry(msgspec.Struct, frozen=True):
    """A delivery as people see it; times in milliseconds. `number` is its own, `event` that of its portal event.
    `status` is of its last attempt that counted; None: no answer, or no attempt yet."""

    number: int
    webhook: int
    state: State
    status: int | None
    tenant: str
    trigger: str
    event: int
    event_id: str
    delivery: bytes
    cause: Redelivery | Replay | None
    created_at: int
    next_due: int | None
    ended_at: int | None
    requests: tuple[Request, ...]

    @property
    def attempts(self) -> int:
        """How many requests were made, late ones too."""
        return len(self.requests)

    @property
    def delivered_at(self) -> int | None:
        return self.ended_at if self.state == "delivered" else None


class Standing(msgspec.Struct, frozen=True):
    """How one webhook fares: its newest delivery, and how many there are in each state."""

    number: int
    state: State
    status: int | None
    created_at: int
    totals: dict[State, int]


class Wanted(TypedDict, total=False):
    """Which deliveries a page is of; what is not said does not matter. `since_ms` and `until_ms`, both inclusive, are
    about the commits that created them, as in all questions about a time: numbers ascend with commits.
    `status_class`: 2 for 2xx and so on, 0 for no answer. The newest `limit` before `before_number`."""

    tenant: str | None
    webhook: int | None
    trigger: str | None
    states: Collection[State]
    status_class: int | None
    since_ms: int | None
    until_ms: int | None
    before_number: int | None
    limit: int


def page(views: Views, reader: Reader, wanted: Wanted) -> list[Entry]:
    """Deliveries, newest first; the next page is of those before the last one's number."""
    conditions, values = _conditions(reader, wanted)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = views.rows(
        f"SELECT {COLUMNS} FROM history_1 {where} ORDER BY number DESC LIMIT ?", (*values, wanted.get("limit", 100))
    )
    return [_entry(row) for row in rows]


def _conditions(reader: Reader, wanted: Wanted) -> tuple[list[str], list[Any]]:
    """How a page's question is put, so that it is answered from an index, and from no more of it than need be."""
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, *bound: Any) -> None:
        conditions.append(condition)
        values.extend(bound)

    tenant, webhook, trigger = wanted.get("tenant"), wanted.get("webhook"), wanted.get("trigger")
    if webhook is not None:
        add("webhook=?", webhook)
    if tenant is not None:
        # The plus keeps SQLite from taking the tenant's index, where the webhook's leads to less.
        add("tenant=?" if webhook is None else "+tenant=?", tenant)
    if trigger is not None:
        add("trigger=?", trigger)
    if states := wanted.get("states"):
        add(f"state IN ({','.join('?' * len(states))})", *[STATES.index(state) for state in states])
    status_class = wanted.get("status_class")
    if status_class == 0:
        add("status IS NULL")
    elif status_class is not None:
        add("status BETWEEN ? AND ?", status_class * 100, status_class * 100 + 99)
    if (states and "delivered" not in states) or status_class not in (None, 2):
        add(NOT_DELIVERED)
    if (since_ms := wanted.get("since_ms")) is not None:
        add("number>?", reader.as_of(since_ms - 1))
    if (until_ms := wanted.get("until_ms")) is not None:
        add("number<=?", reader.as_of(until_ms))
    if (before_number := wanted.get("before_number")) is not None:
        add("number<?", before_number)
    return conditions, values


def get(views: Views, number: int) -> Entry | None:
    """One delivery; None when there is none of that number."""
    rows = views.rows(f"SELECT {COLUMNS} FROM history_1 WHERE number=?", (number,))
    return _entry(rows[0]) if rows else None


def standings(views: Views, webhooks: Iterable[int]) -> dict[int, Standing]:
    """How these webhooks fare; one that has no deliveries yet is left out."""
    totals = ", ".join(f"w.{state}" for state in STATES)
    found: dict[int, Standing] = {}
    for some in chunks(list(webhooks)):
        rows = views.rows(
            f"SELECT w.webhook, h.number, h.state, h.status, h.details, {totals} FROM history_webhooks_1 w"
            " JOIN history_1 h ON h.number=(SELECT max(number) FROM history_1 WHERE webhook=w.webhook)"
            f" WHERE w.webhook IN ({','.join('?' * len(some))})",
            some,
        )
        for webhook, number, state, status, details, *counts in rows:
            by_state = dict(zip(STATES, counts, strict=True))
            found[webhook] = Standing(number, STATES[state], status, decode_details(details).created_at, by_state)
    return found


def _entry(values: Sequence[Any]) -> Entry:
    row = row_of(values)
    state = STATES[row.state]
    details = msgspec.structs.astuple(row.details)
    return Entry(row.number, row.webhook, state, row.status, row.tenant, row.trigger, *details)
