"""Which deliveries people mean by a text: what no index leads to is looked at one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from core.history_entries import Entry, Matches
from core.ledger.read import Reader
from core.model.webhook import Webhook

decode = msgspec.json.Decoder().decode


def matches_of(reader: Reader, webhooks: Iterable[Webhook], text: str) -> Matches:
    """Whether a delivery has *text*, in any case of letters, in the portal's id of its event; in why an attempt failed;
    in the name or URL of its webhook, as they are now; in a text of what was sent, of its outer members and unless that
    was forgotten; or is about an entity of that very id. *webhooks* are those that are looked through."""
    wanted = text.casefold()
    named = {known.number for known in webhooks if wanted in f"{known.name}\n{known.url}".casefold()}

    def matches(entries: Sequence[Entry]) -> list[bool]:
        found = [entry.webhook in named or _has(entry, text, wanted) for entry in entries]
        rest = {entry.event for entry, is_found in zip(entries, found, strict=True) if not is_found}
        sent = {
            position
            for position, payload in reader.payloads(rest).items()
            if any(wanted in said.casefold() for said in _texts(decode(payload)))
        }
        return [is_found or entry.event in sent for entry, is_found in zip(entries, found, strict=True)]

    return matches


def _has(entry: Entry, text: str, wanted: str) -> bool:
    return (
        wanted in entry.event_id.casefold()
        or any(str(target) == text for target in entry.targets)
        or any(wanted in request.reason.casefold() for request in entry.requests)
    )


def _texts(payload: Any) -> Iterator[str]:
    if isinstance(payload, dict):
        yield from (value for value in payload.values() if isinstance(value, str))
