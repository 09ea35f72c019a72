"""A scrape, read by prometheus_client's own parser; and the same numbers counted from the ledger in plain loops."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from core.ledger.unit import Recorded
from core.model import delivery, portal_event


class Scrape:
    """What `/metrics` said, by name and labels."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.values = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self.values[name, tuple(sorted(labels.items()))]

    def by_labels(self, name: str) -> dict[tuple[str, ...], float]:
        """The samples of a name that are not 0, by the values of their labels in the order of the labels' names."""
        return {
            tuple(value for _, value in labels): value
            for (sample, labels), value in self.values.items()
            if sample == name and value
        }


async def scrape(url: str) -> Scrape:
    async with ClientSession() as session, session.get(f"{url.rstrip('/')}/metrics") as answer:
        assert answer.status == 200, await answer.text()
        return Scrape(await answer.text())


class Counted:
    """What the recorded events of a ledger come to; written from what docs/metrics.md says."""

    def __init__(self, events: list[Recorded]) -> None:
        self.accepted: Counter[tuple[str]] = Counter()
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.ended: Counter[tuple[str]] = Counter()
        self.created = self.unmatched = self.unknown = self.retries = 0
        self.took_s = self.lasted_s = 0.0
        born: dict[int, int] = {}
        for recorded in events:
            event: Any = recorded.event
            match event:
                case portal_event.Received():
                    self.accepted[(event.source[0],)] += 1
                    self.unmatched += event.deliveries == 0
                    self.unknown += event.trigger is None
                case delivery.Created():
                    self.created += 1
                    born[recorded.position] = event.at
                case delivery.Cancelled():
                    self.ended[("cancelled",)] += 1
                case delivery.Delivered() | delivery.AttemptFailed() | delivery.LateAttempt():
                    self._attempt(event)
                    if isinstance(event, delivery.Delivered):
                        self.lasted_s += (event.at - born[event.number]) / 1000
        self.open = self.created - sum(self.ended.values())

    def _attempt(self, event: Any) -> None:
        attempt = event.attempt
        self.took_s += attempt.took / 1000
        answer = "none" if attempt.status is None else f"{str(attempt.status)[0]}xx"
        if isinstance(event, delivery.Delivered):
            self.attempts[answer, "delivered"] += 1
            self.ended[("delivered",)] += 1
        elif isinstance(event, delivery.LateAttempt):
            self.attempts[answer, "late"] += 1
        else:
            self.attempts[answer, "failed"] += 1
            self.retries += event.next is not None
            self.ended[("failed",)] += event.next is None
