"""What becomes of the deliveries of webhooks that people switch off and on; read from the views, so it blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.history_entries import page, standings
from core.history_question import Wanted
from core.ledger.read import Reader
from core.ledger.view_store import ViewStore
from core.limits import LIST_MAX
from core.model import webhook
from core.model.webhook import Webhook


class Fate(NamedTuple):
    """`cancelled`: since the webhook was disabled, at most LIST_MAX of them. `waiting`: that have not ended."""

    cancelled: int
    waiting: int


def fates(views: ViewStore, reader: Reader, switched: Sequence[Webhook]) -> dict[int, Fate]:
    """By number, for each of these webhooks as they were before they were switched."""
    standing = standings(views, [known.number for known in switched])
    found = {}
    for known in switched:
        totals = standing[known.number].totals if known.number in standing else {}
        cancelled = 0 if known.enabled or not totals.get("cancelled") else _cancelled(views, reader, known)
        found[known.number] = Fate(cancelled, totals.get("pending", 0) + totals.get("retrying", 0))
    return found


def _cancelled(views: ViewStore, reader: Reader, known: Webhook) -> int:
    events = [one.event for one in reader.stream(known.id)]
    disabled_at = max((event.at for event in events if isinstance(event, webhook.Disabled)), default=None)
    if disabled_at is None:
        return 0
    found = page(views, reader, Wanted(webhook=known.number, states=("cancelled",)), LIST_MAX)
    return sum(entry.ended_at is not None and entry.ended_at >= disabled_at for entry in found.entries)
