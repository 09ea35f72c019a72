"""Joins what speaks with Kafka: its clients, and the parts of this process between them and the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from core.errors import LedgerError
from core.gauges import Sample
from core.limits import INBOX_STOP_S, TOTAL_S
from core.settings import Settings
from delivery import roles
from delivery.carrier import Deliveries
from delivery.inbox import Inbox
from delivery.kafka.records import Outgoing, Partition
from delivery.kafka_event import TenantRules
from delivery.kafka_setup.plan import Asked, planned
from delivery.ledger_topic.feed import LedgerFeed
from delivery.service import Service
from delivery.station.station import Station

if TYPE_CHECKING:  # what it imports is an extra
    from delivery.kafka.consumer import Consumer

STATION_RELEASE_S = TOTAL_S + 5
"""How long a partition of deliveries that is to be another worker's waits for attempts that were begun."""
STATION_RECORDS_MAX = 256
"""Records of deliveries that a worker has read ahead; of up to 32 deliveries each, more than it may have under way, and
few enough that another worker is not kept from much."""


class KafkaRoles:
    """Made before the service starts, within the loop; reads from `start` to `stop_reading`."""

    inbox: Inbox | None = None
    station: Station | None = None
    feed: LedgerFeed | None = None

    def __init__(self, service: Service, settings: Settings, environment: Mapping[str, str]) -> None:
        """InvalidInputError when the settings are none, LedgerError when kafka-python is not there."""
        try:
            from delivery.kafka import consumer, producer  # noqa: PLC0415 -- an extra
            from delivery.kafka.settings import read  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise LedgerError(f"--kafka needs kafka-python: pip install 'hookledger[kafka]' ({error})") from None
        self._service, self._settings = service, settings
        self._said = read(settings.kafka or "", environment)
        names = Asked(settings.inbox_topic, settings.inbox_dead_topic, settings.deliveries_topic, settings.ledger_topic)
        planned(names, brokers=1)  # names that cannot be are said before a broker is asked
        self._producer: Callable[..., Outgoing] = producer.Producer
        self._consumer: Callable[..., Consumer] = consumer.Consumer
        self._outgoing: list[Outgoing] = []
        if roles.hands_over(settings.role):
            handing = Deliveries(self._writes(), settings.deliveries_topic)
            service.means = service.means._replace(deliveries=handing)
        if roles.carries(settings.role):
            # It leads whenever this process does.
            self.feed = service.feed = LedgerFeed(service.office, self._writes(), settings.ledger_topic)
            service.office.gauges.append(self.feed.samples)
        service.more_reasons.append(self._reasons)

    def start(self) -> None:
        """Read, and tell: the service is ready for it."""
        if self.feed is not None and self._service.carrier is not None:
            self.feed.lead()
        if roles.reads_topics(self._settings.role, has_kafka=True):
            self.inbox = self._inbox()
            self.inbox.start()
        if roles.attempts(self._settings.role):
            self.station = self._station()
            self.station.start()

    def _writes(self) -> Outgoing:
        """One writer for each purpose: none waits for what another one sends."""
        self._outgoing.append(self._producer(self._said))
        return self._outgoing[-1]

    def _inbox(self) -> Inbox:
        service, settings = self._service, self._settings

        async def released(partitions: frozenset[Partition]) -> None:
            await inbox.released(partitions)

        incoming = self._consumer(
            self._said, settings.inbox_group, settings.inbox_topic, assigned=_nothing, released=released
        )
        inbox = Inbox(
            incoming,
            self._writes(),
            service.office,
            rules=TenantRules(settings.inbox_tenant),
            dead_topic=settings.inbox_dead_topic,
        )
        service.office.gauges += [inbox.samples, _lag_of(incoming)]
        return inbox

    def _station(self) -> Station:
        service, settings = self._service, self._settings

        async def released(partitions: frozenset[Partition]) -> None:
            await station.released(partitions)

        incoming = self._consumer(
            self._said,
            settings.deliveries_group,
            [settings.deliveries_topic],
            assigned=_nothing,
            released=released,
            release_s=STATION_RELEASE_S,
            records_max=STATION_RECORDS_MAX,
        )
        station = Station(service.office, service.means, incoming)
        service.office.gauges += [station.samples, _lag_of(incoming)]
        return station

    def _reasons(self) -> list[str]:
        """Why nothing is taken from Kafka, or not all of it, and why nothing is told there."""
        reasons = []
        if self.inbox is not None and self.inbox.fault is not None:
            reasons.append(f"portal events wait in Kafka: {self.inbox.fault}")
        if self.station is not None:
            reasons += self.station.reasons()
        if self.feed is not None and self.feed.fault is not None:
            reasons.append(f"what is recorded waits for Kafka: {self.feed.fault}")
        return reasons

    async def stop_reading(self) -> int:
        """Finish what is under way, commit, and leave the groups; how many requests that cut off."""
        inbox = None if self.inbox is None else self.inbox.stop(min(self._settings.stop_s, INBOX_STOP_S))
        station = None if self.station is None else self.station.stop(self._settings.stop_s)
        _, cut_off = await asyncio.gather(inbox or _none(), station or _none())
        return cut_off or 0

    async def stop_telling(self) -> None:
        """Tell what was recorded by now; the office must be open still."""
        if self.feed is not None:
            await self.feed.stop()

    async def close(self) -> None:
        """Write no more."""
        await asyncio.gather(*(outgoing.close() for outgoing in self._outgoing))


def _nothing(_: object) -> None: ...


async def _none() -> None: ...


def _lag_of(consumer: Consumer) -> Callable[[], Awaitable[list[Sample]]]:
    """For `/metrics`."""

    async def samples() -> list[Sample]:
        return [("hookledger_kafka_lag", (topic,), records) for topic, records in consumer.lag.records.items()]

    return samples
