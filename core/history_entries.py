"""What people are shown of the history: deliveries by page, how many there are, how each webhook fares; all blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from core.history_question import ARMS_MAX, NUMBER_MAX, Condition, Known, Plan, Wanted, ids_of, plan
from core.history_table import STATES, Request, chunks, decode_details
from core.ledger.read import Reader
from core.ledger.view_store import ViewStore
from core.limits import LOOKED_MAX, LOOKED_TEXT_MAX
from core.model.delivery import Redelivery, Replay, State
from core.model.portal_event import Received

COLUMNS = "h.number, h.webhook, h.outcome, h.status, w.tenant, t.name, h.details"
JOINED = "history_2 h JOIN history_webhooks_2 w ON w.webhook=h.webhook JOIN history_triggers_2 t ON t.id=h.trigger"

NEWEST = (
    "SELECT h.number FROM history_2 h INDEXED BY history_2_webhook WHERE h.webhook=w.webhook"
    " ORDER BY h.number DESC LIMIT 1"
)
"""The newest delivery of a webhook w."""


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
    targets: tuple[int | str, ...]
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


class Page(NamedTuple):
    """Deliveries in the order they were asked for. `looked_to`: everything up to this number, itself included, was
    looked at, and the next page begins behind it; None: there is nothing behind it."""

    entries: list[Entry]
    looked_to: int | None


Matches = Callable[[Sequence[Entry]], Sequence[bool]]
"""Which of these deliveries are meant: what SQL cannot decide."""


def page(
    views: ViewStore,
    reader: Reader,
    wanted: Wanted,
    limit: int,
    *,
    oldest_first: bool = False,
    matches: Matches | None = None,
) -> Page:
    """The first *limit* deliveries, newest first; fewer when all that one page may look through were looked at."""
    asked = _Asked(views, reader, wanted, oldest_first=oldest_first)
    if asked.low > asked.high or not asked.plan.arms:
        return Page([], None)
    if matches is None and wanted.target is None:
        entries = asked.entries(limit)
        return Page(entries, entries[-1].number if len(entries) == limit else asked.ends)
    found: list[Entry] = []
    while True:
        some = asked.entries(CHUNK)
        kept = [True] * len(some) if matches is None else matches(some)
        for entry, is_kept in zip(some, kept, strict=True):
            if is_kept and _is_about(entry, wanted.target):
                found.append(entry)
                if len(found) == limit:
                    return Page(found, entry.number)
        if len(some) < CHUNK:
            return Page(found, asked.ends)
        asked.go_on(some[-1].number)


CHUNK = 1_000
"""Deliveries that are looked at one by one, at a time."""


def _is_about(entry: Entry, target: str | None) -> bool:
    return target is None or any(id in entry.targets for id in ids_of(target))


def count(
    views: ViewStore, reader: Reader, wanted: Wanted, *, matches: Matches | None = None
) -> tuple[int, int | None]:
    """How many deliveries there are, and up to where they were counted, as a page's `looked_to`."""
    asked = _Asked(views, reader, wanted, oldest_first=False)
    if asked.low > asked.high or not asked.plan.arms:
        return 0, None
    if matches is not None or wanted.target is not None:
        found = page(views, reader, wanted, LOOKED_MAX, matches=matches)
        return len(found.entries), found.looked_to
    select = asked.numbers(NUMBER_MAX)
    ((counted,),) = views.rows(f"SELECT count(*) FROM ({select.sql}) AS found", select.values)
    return counted, asked.ends


class _Asked:
    """A question with its plan, and from which number to which it goes."""

    def __init__(self, views: ViewStore, reader: Reader, wanted: Wanted, *, oldest_first: bool) -> None:
        self._views, self._oldest_first = views, oldest_first
        known = _known(views, reader, wanted)
        self.plan: Plan = plan(wanted, known)
        self.low, self.high = _bounds(reader, wanted)
        self.ends: int | None = None
        """The last number that is looked at, when there may be more behind it."""
        looked_max = LOOKED_TEXT_MAX if wanted.text is not None else LOOKED_MAX
        if self.plan.arms and (self.plan.conditions or wanted.text is not None):
            self._look_no_further(looked_max)

    def _look_no_further(self, looked_max: int) -> None:
        horizons = self.plan.horizons(self.low, self.high, looked_max, oldest_first=self._oldest_first)
        numbers = [number for (number,) in self._views.rows(horizons.sql, horizons.values)]
        if numbers and self._oldest_first:
            self.ends = self.high = min(numbers) - 1
        elif numbers:
            self.ends = self.low = max(numbers) + 1

    def go_on(self, number: int) -> None:
        """What is behind this number is next."""
        if self._oldest_first:
            self.low = number + 1
        else:
            self.high = number - 1

    def numbers(self, limit: int) -> Condition:
        return self.plan.numbers(self.low, self.high, limit, oldest_first=self._oldest_first)

    def entries(self, limit: int) -> list[Entry]:
        """The next *limit* that are found."""
        order = "ASC" if self._oldest_first else "DESC"
        select = self.numbers(limit)
        first = f"SELECT number FROM ({select.sql}) AS found ORDER BY number {order} LIMIT ?"
        rows = self._views.rows(
            f"SELECT {COLUMNS} FROM {JOINED} WHERE h.number IN ({first}) ORDER BY h.number {order}",
            (*select.values, limit),
        )
        return [_entry(row) for row in rows]


def _known(views: ViewStore, reader: Reader, wanted: Wanted) -> Known:
    """What the small tables say beforehand."""
    trigger = None
    if wanted.trigger is not None:
        rows = views.rows("SELECT id FROM history_triggers_2 WHERE name=?", (wanted.trigger,))
        trigger = rows[0][0] if rows else None
    events: list[tuple[int, int]] = []
    if wanted.events is not None:
        for position, _, _, event in reader.at(wanted.events).values():
            if isinstance(event, Received):
                events.append((position, event.deliveries))
    return Known(_webhooks(views, wanted), trigger, events)


def _webhooks(views: ViewStore, wanted: Wanted) -> Sequence[tuple[int, ...]] | None:
    if wanted.webhook is None and wanted.tenant is None:
        return None
    asked = {"webhook": wanted.webhook, "tenant": wanted.tenant}
    asked = {column: value for column, value in asked.items() if value is not None}
    where = " AND ".join(f"{column}=?" for column in asked)
    sql = f"SELECT webhook, {', '.join(STATES)} FROM history_webhooks_2 WHERE {where} LIMIT {ARMS_MAX + 1}"
    rows = views.rows(sql, tuple(asked.values()))
    return rows if len(rows) <= ARMS_MAX else None


def _bounds(reader: Reader, wanted: Wanted) -> tuple[int, int]:
    """The first and the last number that may be wanted."""
    low, high = wanted.after + 1, wanted.before - 1
    if wanted.since_ms is not None:
        low = max(low, reader.as_of(wanted.since_ms - 1) + 1)
    if wanted.until_ms is not None:
        high = min(high, reader.as_of(wanted.until_ms))
    return low, high


def triggers(views: ViewStore) -> list[str]:
    """All that there are deliveries of, by name."""
    return sorted(name for (name,) in views.rows("SELECT name FROM history_triggers_2"))


def get(views: ViewStore, number: int) -> Entry | None:
    """One delivery; None when there is none of that number."""
    rows = views.rows(f"SELECT {COLUMNS} FROM {JOINED} WHERE h.number=?", (number,))
    return _entry(rows[0]) if rows else None


def redeliveries(views: ViewStore, numbers: Iterable[int]) -> dict[int, list[int]]:
    """Of each of these deliveries that somebody had redelivered, the numbers of its redeliveries, oldest first."""
    found: dict[int, list[int]] = {}
    for some in chunks(list(numbers)):
        marks = ",".join("?" * len(some))
        sql = f"SELECT of, number FROM history_redeliveries_2 WHERE of IN ({marks}) ORDER BY number"
        for of, number in views.rows(sql, some):
            found.setdefault(of, []).append(number)
    return found


def standings(views: ViewStore, webhooks: Iterable[int]) -> dict[int, Standing]:
    """How these webhooks fare; one that has no deliveries yet is left out."""
    totals = ", ".join(f"w.{state}" for state in STATES)
    found: dict[int, Standing] = {}
    for some in chunks(list(webhooks)):
        rows = views.rows(
            f"SELECT w.webhook, h.number, h.outcome, h.status, h.details, {totals} FROM history_webhooks_2 w"
            f" JOIN history_2 h ON h.number=({NEWEST})"
            f" WHERE w.webhook IN ({','.join('?' * len(some))})",
            some,
        )
        for webhook, number, outcome, status, details, *counts in rows:
            by_state = dict(zip(STATES, counts, strict=True))
            created_at = decode_details(details).created_at
            found[webhook] = Standing(number, STATES[outcome // 10], status, created_at, by_state)
    return found


def _entry(values: Sequence[Any]) -> Entry:
    number, webhook, outcome, status, tenant, trigger, details = values
    known = msgspec.structs.astuple(decode_details(details))
    return Entry(number, webhook, STATES[outcome // 10], status, tenant, trigger, *known)
