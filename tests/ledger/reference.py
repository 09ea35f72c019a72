"""A judge of units in the plainest form, without a disk: what the ledger must answer, and hold."""

from __future__ import annotations

from collections import Counter

from core.ledger.unit import ZERO_VERSION, Condition, Duplicate, Recorded, StaleDirectory, StaleStream, chain
from core.model.delivery import Created as OfDelivery


class ReferenceJudge:
    """Judges one unit after the other, each against all that were taken."""

    def __init__(self):
        self.events: list[Recorded] = []
        self._versions: Counter[bytes] = Counter()
        self._claims: dict[object, int] = {}
        self._directories: dict[str, bytes] = {}

    def version(self, stream):
        return self._versions[stream]

    def condition(self, tenant):
        return Condition(tenant, self._directories.get(tenant, ZERO_VERSION), ZERO_VERSION)

    def answers(self, unit):
        """What the unit may be answered: of several stale streams, any may be named."""
        if unit.claim in self._claims:
            return [Duplicate(self._claims[unit.claim])]
        if unit.condition is not None and unit.condition != self.condition(unit.condition.tenant):
            return [StaleDirectory(unit.condition.tenant)]
        versions, stale = self._versions.copy(), []
        for stream, version, _ in unit.entries:
            if version != versions[stream] + 1:
                stale.append(StaleStream(stream, self._versions[stream]))
            versions[stream] = version
        return stale or [self._take(unit, versions)]

    def _take(self, unit, versions):
        first = len(self.events) + 1
        self._versions = versions
        if unit.claim is not None:
            self._claims[unit.claim] = first
        for entry in unit.entries:
            self.events.append(Recorded(len(self.events) + 1, *entry))
            if not isinstance(entry.event, OfDelivery):
                before = self.condition(entry.event.tenant).directory
                self._directories[entry.event.tenant] = chain(before, *entry)
        return first
