"""What the ledger holds in the end, read by a plain reader: every delivery's recorded events, every webhook's forms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.ledger.unit import Recorded
from core.model import delivery, webhook
from core.model.portal_event import Received
from core.model.topics import Codec
from tests.matching.history import everything

SCHEDULE_S = (5, 60, 300, 1_800, 7_200, 18_000, 36_000)
"""As it is promised, where a webhook has none of its own."""
JITTER = 0.1


class Form(NamedTuple):
    """A webhook as it was from one version on: since when (milliseconds), and by whom; None: by the service itself."""

    url: str
    secret: bytes
    schedule_s: tuple[int, ...] | None
    at: int
    by: str | None


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
        """Deliveries that came of an event itself, by its stream."""
        self.again: dict[int, list[int]] = defaultdict(list)
        """Redeliveries, by the delivery that was sent again."""
        self.forms: dict[int, dict[int, Form]] = {}
        """Per webhook, by version."""
        self.names: list[str] = []
        """Of the webhooks, as they were made."""
        self.enabled: dict[int, list[Recorded]] = defaultdict(list)
        """Per webhook, whenever it was enabled."""
        self._numbers: dict[bytes, int] = {}
        self.commits: list[tuple[int, int]] = self.recorder.rows("SELECT at, last FROM commits ORDER BY last")
        """When each was made (milliseconds), and its last position."""
        for recorded in self.events:
            self._take(recorded)

    def _take(self, recorded: Recorded) -> None:
        event = recorded.event
        if isinstance(event, Received):
            self.received[event.tenant, event.id].append(recorded)
        elif isinstance(event, delivery.Created):
            self.deliveries[recorded.position] = Delivery(recorded)
            if event.cause is None:
                self.of_event[event.event].append(recorded.position)
            else:
                self.again[event.cause.of].append(recorded.position)
        elif isinstance(event, delivery.Outcome):
            self.deliveries[event.number].after.append(recorded)
        elif isinstance(event, webhook.Created):
            self._numbers[recorded.stream] = recorded.position
            self.names.append(event.name)
            form = Form(event.url, event.secret, event.schedule_s, event.at, event.by)
            self.forms[recorded.position] = {recorded.version: form}
        elif recorded.stream in self._numbers:
            self._changed(self._numbers[recorded.stream], recorded)

    def _changed(self, number: int, recorded: Recorded) -> None:
        event: Any = recorded.event
        forms = self.forms[number]
        form = forms[recorded.version - 1]._replace(at=event.at, by=event.by)
        if isinstance(event, webhook.SecretReset):
            form = form._replace(secret=event.secret)
        elif isinstance(event, webhook.Changed):
            form = form._replace(**{name: to for name, (_, to) in event.changes.items() if name in Form._fields})
        elif isinstance(event, webhook.Enabled):
            self.enabled[number].append(recorded)
        forms[recorded.version] = form

    def schedule_s(self, number: int, attempt: delivery.Attempt) -> tuple[int, ...]:
        """By which schedule an attempt of a webhook is followed by another."""
        own = self.forms[number][attempt.webhook_version].schedule_s
        return SCHEDULE_S if own is None else tuple(own)

    def close(self) -> None:
        self.recorder.close()
