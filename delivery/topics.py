"""Joins what stands between Kafka and this process: the inbox reads portal events, the feed tells the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.errors import LedgerError
from core.settings import Settings
from delivery import roles
from delivery.inbox import Inbox
from delivery.kafka.records import Partition
from delivery.kafka_event import TenantRules
from delivery.ledger_feed import LedgerFeed
from delivery.service import Service

if TYPE_CHECKING:  # what it imports is an extra
    from delivery.kafka.producer import Producer


class Topics:
    """Those that this process has to do with, by its roles; from `start` to `stop` and `close`."""

    inbox: Inbox | None = None
    feed: LedgerFeed | None = None

    def __init__(self, service: Service, settings: Settings, environment: Mapping[str, str]) -> None:
        """InvalidInputError when the settings are none; within the loop."""
        try:
            from delivery.kafka.consumer import Consumer  # noqa: PLC0415 -- an extra
            from delivery.kafka.producer import Producer  # noqa: PLC0415
            from delivery.kafka.settings import read  # noqa: PLC0415
        except ImportError as error:
            raise LedgerError(f"--kafka needs kafka-python: pip install 'hookledger[kafka]' ({error})") from None
        self._service, office = service, service.office
        self._producers: list[Producer] = []
        said = read(settings.kafka or "", environment)
        if roles.reads_topics(settings.role, has_kafka=settings.kafka is not None):
            rules = TenantRules(settings.inbox_tenant)
            self._producers.append(dead := Producer(said))
            incoming = Consumer(
                said,
                settings.inbox_group,
                settings.inbox_topic,
                assigned=lambda _partitions: None,
                released=self._released,
            )
            self.inbox = Inbox(
                incoming, dead, office.intake, office.alarms, rules=rules, dead_topic=settings.inbox_dead_topic
            )
            office.gauges.append(self.inbox.samples)
        if roles.carries(settings.role):
            # One batch of it waits for the broker at a time: it has a producer of its own.
            self._producers.append(told := Producer(said))
            self.feed = LedgerFeed(office, told, settings.ledger_topic)
            office.gauges.append(self.feed.samples)

    async def _released(self, partitions: frozenset[Partition]) -> None:
        if self.inbox is not None:
            await self.inbox.released(partitions)

    def reasons(self) -> list[str]:
        """Why nothing is taken from Kafka, or not all of it, and why nothing is told there."""
        reasons = []
        if self.inbox is not None and self.inbox.fault is not None:
            reasons.append(f"portal events wait in Kafka: {self.inbox.fault}")
        if self.feed is not None and self.feed.fault is not None:
            reasons.append(f"what is recorded waits for Kafka: {self.feed.fault}")
        return reasons

    def start(self) -> None:
        if self.inbox is not None:
            self.inbox.start()
        self._service.feed = self.feed
        if self.feed is not None and self._service.carrier is not None:
            self.feed.lead()

    async def stop(self) -> None:
        """Take nothing more: finish what is under way, commit, and leave the group."""
        if self.inbox is not None:
            await self.inbox.stop()

    async def close(self) -> None:
        """Tell what was recorded meanwhile; the office must be open still."""
        if self.feed is not None:
            await self.feed.stop()
        for producer in self._producers:
            await producer.close()
