"""What the ledger holds in the end, read by a plain reader: every delivery's recorded events, every webhook's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.ledger.unit import Recorded
from core.model import delivery, webhook
from core.model.portal_event import Received
from core.model.topics import Codec
from tests.matching.history import everything

SCHEDULE_S = (5, 60, 300, 1_800, 7_200, 18_000, 36_000)
"""As it is promised."""
JITTER = 0.1


class Delivery:
    """One delivery's story."""

    def __init__(self, recorded: Recorded) -> None:
        assert isinstance(recorded.event, delivery.Created)
        self.number, self.stream = recorded.position, recorded.stream
        self.created = recorded.event
        self.webhook = self.created.webhook
        self.after: list[Recorded] = []
        """What came after Created."""

    @property
    def id(self) -> str:
        """Receivers' `webhook-id`."""
        return self.stream.hex()

    def attempts(self) -> Iterator[tuple[Recorded, delivery.Attempt]]:
        for recorded in self.after:
            if isinstance(recorded.event, delivery.Delivered | delivery.AttemptFailed | delivery.LateAttempt):
                yield recorded, recorded.event.attempt


class Told:
    """The ledger of a life that is over."""

    def __init__(self, data: Path) -> None:
        self.recorder = SqliteRecorder(data / "ledger.sqlite", "OFF")
        self.reader = Reader(self.recorder, Codec())
        self.events = everything(self.reader)
        self.received: dict[tuple[str, str], list[Recorded]] = defaultdict(list)
        self.deliveries: dict[int, Delivery] = {}
        self.of_event: dict[bytes, list[int]] = defaultdict(list)
        self.enabled: dict[int, list[Recorded]] = defaultdict(list)
        """Per webhook, whenever it was enabled."""
        numbers: dict[bytes, int] = {}
        for recorded in self.events:
            event = recorded.event
            if isinstance(event, Received):
                self.received[event.tenant, event.id].append(recorded)
            elif isinstance(event, delivery.Created):
                self.deliveries[recorded.position] = Delivery(recorded)
                self.of_event[event.event].append(recorded.position)
            elif isinstance(event, delivery.Outcome):
                self.deliveries[event.number].after.append(recorded)
            elif isinstance(event, webhook.Created):
                numbers[recorded.stream] = recorded.position
            elif isinstance(event, webhook.Enabled):
                self.enabled[numbers[recorded.stream]].append(recorded)

    def close(self) -> None:
        self.recorder.close()
