"""What is asked of Kafka itself, and not of its records: topics, and how far groups have read, in our own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class TopicSeen(NamedTuple):
    """A topic as it is. *replication*: the copies of the partition that has fewest. *settings* may lack any."""

    partitions: int
    replication: int
    settings: Mapping[str, str]


class Hidden(NamedTuple):
    """A topic that the broker tells nothing of, and why."""

    reason: str


class NewTopic(NamedTuple):
    """A topic as it is to be made."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


class Exists(NamedTuple):
    """Somebody has made it already."""


class Standing(NamedTuple):
    """How far a group has read a topic, in records. *committed* is what it has never to read again, of all that was
    ever written; *members* read the topic just now, None: the broker does not tell."""

    group: str
    topic: str
    committed: int
    end: int
    lag: int
    members: int | None


class Cluster(Protocol):
    """What can be asked. All of it raises LedgerError when no broker answers, or none that lets us ask."""

    def brokers(self) -> int:
        """How many there are."""
        ...

    def topics(self, names: Sequence[str]) -> dict[str, TopicSeen | Hidden]:
        """Those of *names* that there are."""
        ...

    def create(self, topics: Sequence[NewTopic]) -> dict[str, Exists | Hidden]:
        """Make them. Returns those that were not made: they are there, or the broker says why not."""
        ...

    def delete(self, names: Sequence[str]) -> None:
        """Delete them."""
        ...

    def standings(self, read: Mapping[str, Sequence[str]]) -> list[Standing]:
        """Of each group the topics that it reads; none of a topic that there is not."""
        ...

    def close(self) -> None: ...
