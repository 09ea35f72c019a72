"""The view "what was sent where, and how it went": one row for each delivery, with its attempts.

It holds what a list needs; core/history_entries.py asks it. Requests, answers and headers are read from the ledger,
from the delivery's own short stream, when somebody asks for one delivery: core/story.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core import history_table
from core.history_table import CANCELLED, DELIVERED, FAILED, PENDING, RETRYING, Details, Request, Row
from core.ledger.read import Reader
from core.ledger.unit import Body, Recorded
from core.ledger.view_store import Writing
from core.limits import HISTORY_REASON_CHARS_MAX
from core.model.delivery import AttemptFailed, Cancelled, Created, Delivered, LateAttempt
from core.model.portal_event import Received

Outcome = Delivered | AttemptFailed | LateAttempt | Cancelled
OUTCOMES = frozenset({Delivered, AttemptFailed, LateAttempt, Cancelled})

Batch = list[Sequence[Recorded]]
Outcomes = dict[int, list[Outcome]]
Others = dict[bytes, list[Row]]

Source = tuple[int, str, str, tuple[int | str, ...]]
"""What a delivery's row takes from its portal event: number, trigger, id, targets."""
NO_SOURCE: Source = (0, "", "", ())


class History:
    """Folds deliveries into rows. `take` only keeps what it is given; all work is done in the views' thread."""

    name = history_table.NAME
    tables = history_table.TABLES

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._gathered: Batch = []

    def take(self, events: Sequence[Recorded], bodies: Mapping[int, Body]) -> None:
        self._gathered.append(events)

    def drain(self) -> Batch:
        batch, self._gathered = self._gathered, []
        return batch

    def written(self, batch: Batch) -> None: ...

    def write(self, connection: Writing, batch: Batch) -> None:
        new, outcomes = self._fold(batch)
        changes: dict[tuple[int, str], list[int]] = {}
        for row in new.values():
            webhook = (row.webhook, row.tenant)
            by_state = changes.get(webhook)
            if by_state is None:
                by_state = changes[webhook] = [0, 0, 0, 0, 0]
            by_state[row.state] += 1
        history_table.insert(connection, list(new.values()))
        moved = history_table.rows_of(connection, sorted(outcomes))
        for known in moved:
            events = outcomes[known.number]
            by_state = changes.setdefault((known.webhook, events[0].tenant), [0, 0, 0, 0, 0])
            by_state[known.state] -= 1
            for event in events:
                _move(known, event)
            by_state[known.state] += 1
        history_table.move(connection, moved)
        history_table.count(connection, changes)

    def _fold(self, batch: Batch) -> tuple[dict[int, Row], Outcomes]:
        """Rows of the deliveries that this batch creates, and what happened to others."""
        new: dict[int, Row] = {}
        outcomes: Outcomes = {}
        others: Others = {}
        # A delivery's portal event is most often the one just before it.
        stream_of_last, last = b"", NO_SOURCE
        for events in batch:
            for position, stream, _, recorded in events:
                event: Any = recorded
                kind = type(event)
                if kind is Received:
                    stream_of_last, last = stream, _source(position, event)
                elif kind is Created:
                    if event.event == stream_of_last:
                        new[position] = _row(position, stream, event, last)
                    else:
                        row = new[position] = _row(position, stream, event, NO_SOURCE)
                        others.setdefault(event.event, []).append(row)
                elif kind in OUTCOMES:
                    known = new.get(event.number)
                    if known is None:
                        outcomes.setdefault(event.number, []).append(event)
                    else:
                        _move(known, event)
        if others:
            self._name_others(others)
        return new, outcomes

    def _name_others(self, others: Others) -> None:
        """Deliveries of older portal events, as redeliveries are, or of one that came with the batch before."""
        found = self._reader.first_of(others)
        for stream, rows in others.items():
            position, _, _, event = found[stream]
            assert isinstance(event, Received)
            for row in rows:
                details = row.details
                details.event, row.trigger, details.event_id, details.targets = _source(position, event)


def _source(position: int, event: Received) -> Source:
    return position, event.trigger or event.type, event.id, event.targets


def _row(number: int, delivery: bytes, event: Created, source: Source) -> Row:
    position, trigger, id, targets = source
    details = Details(position, id, targets, delivery, event.cause, event.at, event.at, None, ())
    return Row(number, event.webhook, PENDING, None, event.tenant, trigger, details)


def _move(row: Row, event: Outcome) -> None:
    """A delivery's row after one more event of its stream. A late attempt was made, and moves nothing."""
    details = row.details
    if isinstance(event, Cancelled):
        row.state, details.next_due, details.ended_at = CANCELLED, None, event.at
        return
    attempt = event.attempt
    is_late = isinstance(event, LateAttempt)
    reason = attempt.reason[:HISTORY_REASON_CHARS_MAX]
    request = Request(attempt.number, attempt.started, attempt.took, attempt.status, reason, is_late)
    details.requests = (*details.requests, request)
    if isinstance(event, Delivered):
        row.state, row.status, details.next_due, details.ended_at = DELIVERED, attempt.status, None, event.at
    elif isinstance(event, AttemptFailed):
        row.status, details.next_due = attempt.status, event.next
        row.state = RETRYING
        if event.next is None:
            row.state, details.ended_at = FAILED, event.at
