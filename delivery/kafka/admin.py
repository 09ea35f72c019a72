"""The form of `Cluster` over Kafka: one command's questions to brokers, asked and answered one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    KafkaTimeoutError,
    NoError,
    RetriableError,
    SaslAuthenticationFailedError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.structs import TopicPartition

from core.errors import LedgerError
from core.settings import KAFKA_PREFIX
from delivery.kafka.client import opened, text_of
from delivery.kafka.cluster import Exists, Hidden, NewTopic, Standing, TopicSeen
from delivery.kafka.settings import Settings

AGAIN_S = 0.2
"""How long until it is looked once more for who keeps a group: it may be about to be found."""
SEEN_MS = 5_000
"""How long a topic that was made may take until brokers tell of it."""
COORDINATOR_S = 5.0
"""How long it is looked for."""


class Admin:
    """Opened when it is made; LedgerError when no broker answers within a few seconds, or none lets us in."""

    def __init__(self, settings: Settings) -> None:
        self._servers = ", ".join(settings.servers)
        with self._in_words():
            self._client, _ = opened(KafkaAdminClient, settings.admin())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def brokers(self) -> int:
        return len(self._asked(lambda client: client.describe_cluster())["brokers"])

    def topics(self, names: Sequence[str]) -> dict[str, TopicSeen | Hidden]:
        described = self._asked(lambda client: client.describe_topics(list(names)))
        seen: dict[str, TopicSeen | Hidden] = {}
        there = {}
        for topic in described:
            error = for_code(topic["error_code"])
            if error is NoError:
                there[topic["name"]] = topic["partitions"]
            elif error is not UnknownTopicOrPartitionError:
                seen[topic["name"]] = Hidden(_said(error, None))
        settings = self._settings(list(there))
        for name, partitions in there.items():
            copies = min((len(one["replica_nodes"]) for one in partitions), default=0)
            seen[name] = TopicSeen(len(partitions), copies, settings.get(name, {}))
        return seen

    def create(self, topics: Sequence[NewTopic]) -> dict[str, Exists | Hidden]:
        wanted = {
            one.name: {
                "num_partitions": one.partitions,
                "replication_factor": one.replication,
                "configs": dict(one.settings),
            }
            for one in topics
        }
        answered = self._asked(lambda client: client.create_topics(wanted, raise_errors=False))
        not_made: dict[str, Exists | Hidden] = {}
        for topic in answered["topics"]:
            error = for_code(topic["error_code"])
            if error is TopicAlreadyExistsError:
                not_made[topic["name"]] = Exists()
            elif error is not NoError:
                not_made[topic["name"]] = Hidden(_said(error, topic.get("error_message")))
        there = [one.name for one in topics if not isinstance(not_made.get(one.name), Hidden)]
        # Brokers hear of it a little later than who made it; who asks them next is to find it.
        with suppress(KafkaTimeoutError):
            self._client.wait_for_topics(there, timeout_ms=SEEN_MS)
        return not_made

    def delete(self, names: Sequence[str]) -> None:
        """They are no more, with all that was in them."""
        self._asked(lambda client: client.delete_topics(list(names)))

    def standings(self, read: Mapping[str, Sequence[str]]) -> list[Standing]:
        seen = self.topics(list(dict.fromkeys(topic for topics in read.values() for topic in topics)))
        sizes = {name: topic.partitions for name, topic in seen.items() if isinstance(topic, TopicSeen)}
        return [
            self._standing(group, topic, sizes[topic])
            for group, topics in read.items()
            for topic in topics
            if topic in sizes
        ]

    def _standing(self, group: str, topic: str, partitions: int) -> Standing:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        ends, begins = self._offsets(places, OffsetSpec.LATEST), self._offsets(places, OffsetSpec.EARLIEST)
        known = self._of_group(lambda client: client.list_group_offsets({group: places}))[group]
        committed = lag = 0
        for place in places:
            # What was never committed is read from the beginning.
            read_to = max(known[place].offset if place in known else 0, begins[place])
            committed += read_to
            lag += max(ends[place] - read_to, 0)
        return Standing(group, topic, committed, sum(ends.values()), lag, self._members(group, topic))

    def _offsets(self, places: Sequence[Any], which: Any) -> dict[Any, int]:
        told = self._asked(lambda client: client.list_partition_offsets(dict.fromkeys(places, which)))
        return {place: told[place].offset for place in places}

    def _members(self, group: str, topic: str) -> int | None:
        try:
            described = self._of_group(lambda client: client.describe_groups([group]))[group]
        except ValueError:
            return None  # of a broker whose answer kafka-python cannot read
        assigned = [member["member_assignment"] for member in described["members"]]
        return sum(
            any(one["topic"] == topic for one in assignment["assigned_partitions"])
            for assignment in assigned
            if assignment
        )

    def _of_group(self, ask: Callable[[Any], Any]) -> Any:
        """What the broker that keeps a group says, which has to be found first."""
        until = time.monotonic() + COORDINATOR_S
        while True:
            try:
                with self._in_words():
                    return ask(self._client)
            except LedgerError as error:
                if not isinstance(error.__context__, RetriableError) or time.monotonic() > until:
                    raise
            time.sleep(AGAIN_S)

    def _settings(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Of each topic; nothing of one whose settings we may not see."""
        if not names:
            return {}
        topics = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        told = self._asked(lambda client: client.describe_configs(topics, config_filter="all"))
        return {
            name: {setting: said["value"] for setting, said in settings.items() if said["value"] is not None}
            for name, settings in told.get("topic", {}).items()
        }

    def _asked(self, ask: Callable[[Any], Any]) -> Any:
        with self._in_words():
            return ask(self._client)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except SaslAuthenticationFailedError as error:
            raise LedgerError(f"{self._servers} does not let us in: {text_of(error)}") from None
        except KafkaTimeoutError:
            raise LedgerError(
                f"no broker answers at {self._servers}, or lets us in: {KAFKA_PREFIX}… says how they are spoken to"
            ) from None
        except (KafkaError, OSError) as error:
            raise LedgerError(f"{self._servers}: {text_of(error)}") from None


def _said(error: type[Any], message: str | None) -> str:
    """One line: what the broker says, else what the error means."""
    if not message and issubclass(error, AuthorizationError):
        return "its user may not: to set up topics it needs to Create, Describe and DescribeConfigs them"
    return " ".join((message or error.description or error.__name__).split())
