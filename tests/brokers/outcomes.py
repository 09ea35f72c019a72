"""What a portal learns of its events by reading `webhook.ledger`, and nothing else."""

from __future__ import annotations

from typing import Any, NamedTuple

OF_DELIVERY = "hookledger.delivery."
ENDED = frozenset({"delivered", "failed", "cancelled"})


class Wanted(NamedTuple):
    """A portal event by the portal's own id of it, at a webhook by its number."""

    webhook: int
    event: str


class Outcomes:
    """Deliveries by their subject, which a receiver gets as `webhook-id`."""

    def __init__(self) -> None:
        self.subjects: dict[Wanted, str] = {}
        self.states: dict[str, list[str]] = {}
        """In the order in which they came, each once."""

    def take(self, record: Any) -> None:
        """A record's value; one that came before changes nothing."""
        if not record["type"].startswith(OF_DELIVERY):
            return
        data, subject = record["data"], record["subject"]
        if "event" in data:
            self.subjects.setdefault(Wanted(data["webhook"], data["event"]["id"]), subject)
        states = self.states.setdefault(subject, [])
        if (state := data.get("state")) is not None and state not in states:
            states.append(state)

    def ended(self, wanted: set[Wanted]) -> set[Wanted]:
        """Those of which an end has been told."""
        return {one for one in wanted if ENDED & set(self.states.get(self.subjects.get(one, ""), ()))}

    def not_delivered(self, wanted: set[Wanted]) -> dict[Wanted, list[str]]:
        """Those that were not first made and then delivered, and nothing else, by what was told of them."""
        told = {one: self.states.get(self.subjects.get(one, ""), []) for one in wanted}
        return {one: states for one, states in told.items() if states != ["pending", "delivered"]}
