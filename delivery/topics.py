"""Joins what reads portal events from Kafka: the clients, and the inbox between them and intake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.errors import LedgerError
from core.gauges import Sample
from core.office import Office
from core.settings import Settings
from delivery.inbox import Inbox
from delivery.kafka.records import Partition
from delivery.kafka_event import TenantRules

if TYPE_CHECKING:  # what it imports is an extra
    from delivery.kafka.consumer import Consumer
    from delivery.kafka.producer import Producer


class Topics:
    """Reads from `start` to `stop`."""

    def __init__(self, office: Office, settings: Settings, environment: Mapping[str, str]) -> None:
        """InvalidInputError when the settings are none; within the loop."""
        try:
            from delivery.kafka.consumer import Consumer  # noqa: PLC0415 -- an extra
            from delivery.kafka.producer import Producer  # noqa: PLC0415
            from delivery.kafka.settings import read  # noqa: PLC0415
        except ImportError as error:
            raise LedgerError(
                f"portal events from Kafka need kafka-python: pip install 'hookledger[kafka]' ({error})"
            ) from None
        said = read(settings.kafka or "", environment)
        rules = TenantRules(settings.inbox_tenant)
        self._outgoing: Producer = Producer(said)
        incoming = Consumer(
            said,
            settings.inbox_group,
            settings.inbox_topic,
            assigned=lambda _partitions: None,
            released=self._released,
        )
        self.inbox = Inbox(
            incoming, self._outgoing, office.intake, office.alarms, rules=rules, dead_topic=settings.inbox_dead_topic
        )
        self._incoming: Consumer = incoming
        office.gauges += [self.inbox.samples, self._samples]

    async def _samples(self) -> list[Sample]:
        return [("hookledger_kafka_lag", (topic,), records) for topic, records in self._incoming.lag.items()]

    async def _released(self, partitions: frozenset[Partition]) -> None:
        await self.inbox.released(partitions)

    def reasons(self) -> list[str]:
        """Why nothing is taken from Kafka, or not all of it."""
        return [] if self.inbox.fault is None else [f"portal events wait in Kafka: {self.inbox.fault}"]

    def start(self) -> None:
        self.inbox.start()

    async def stop(self) -> None:
        """Finish what is under way, commit, and leave the group."""
        await self.inbox.stop()
        await self._outgoing.close()
