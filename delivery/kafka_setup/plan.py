"""The topics of Kafka that there are to be, and how each should be made: the table; pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from core.errors import InvalidInputError
from core.limits import EVENT_BYTES_MAX

PARTITIONS = 12
"""Of each topic that processes share: so many can read it at once."""
DEAD_PARTITIONS = 3
"""Of the topic of the dead, which people read."""
REPLICATION = 3
"""Copies of each partition, where there are so many brokers."""
TOPIC_PARTITIONS_MAX = 10_000
"""Partitions that `kafka init` makes of one topic at most."""
TOPIC_REPLICATION_MAX = 100
"""Copies of each that it makes at most."""
NAME = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")
"""What Kafka takes as a topic's name; `.` and `..` are none."""

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MIB = 1024 * 1024
KAFKAS_OWN = MIB + 12
"""The largest batch of records that a broker takes where nobody says anything."""


class Word(NamedTuple):
    """A setting that is one word. *why*: what comes of another one. Without *is_needed* it works with any."""

    name: str
    value: str
    why: str
    is_needed: bool = True


class Number(NamedTuple):
    """A setting that is a number; -1 is without end. From *fine* to *fine_most* it is as good as the planned value;
    below *needed* or above *needed_most* it does not work well, which *why* says."""

    name: str
    value: int
    why: str
    fine: float
    fine_most: float = inf
    needed: float = 0
    needed_most: float = inf


Rule = Word | Number


class TopicPlan(NamedTuple):
    """A topic. With fewer than the needed partitions or copies it would not do what it is for."""

    name: str
    use: str
    partitions: int
    partitions_needed: int
    replication: int
    rules: tuple[Rule, ...]

    @property
    def settings(self) -> dict[str, str]:
        return {rule.name: str(rule.value) for rule in self.rules}


class Asked(NamedTuple):
    """The names of the topics by their use, and what is wished of them; None: what fits."""

    events: Sequence[str]
    dead: str
    deliveries: str
    ledger: str
    partitions: int | None = None
    replication: int | None = None


def planned(asked: Asked, brokers: int) -> list[TopicPlan]:
    """The topics of a cluster of so many *brokers*. InvalidInputError when names cannot be those of topics."""
    _check(asked)
    partitions, needed = asked.partitions or PARTITIONS, asked.partitions or 1
    copies = asked.replication or min(REPLICATION, max(brokers, 1))
    events = [
        TopicPlan(name, "portal events", partitions, needed, copies, (*_events(), *_safe(copies)))
        for name in dict.fromkeys(asked.events)
    ]
    return [
        *events,
        TopicPlan(asked.dead, "records that are none", DEAD_PARTITIONS, 1, copies, (*_dead(), *_safe(copies))),
        TopicPlan(
            asked.deliveries,
            "deliveries for workers",
            partitions,
            needed,
            copies,
            (*_deliveries(), *_safe(copies, is_needed=False)),
        ),
        TopicPlan(asked.ledger, "what was recorded", partitions, needed, copies, (*_ledger(), *_safe(copies))),
    ]


def _check(asked: Asked) -> None:
    """One topic is for one thing."""
    names = [*dict.fromkeys(asked.events), asked.dead, asked.deliveries, asked.ledger]
    for name in names:
        if NAME.match(name) is None or name in (".", ".."):
            raise InvalidInputError(f"{name!r} is no name of a topic: letters, digits, '.', '_' and '-', at most 249")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InvalidInputError(f"the topic {twice[0]!r} is named for two things: give each a topic of its own")


def _kept(name: str) -> Word:
    return Word("cleanup.policy", "delete", f"compaction removes {name} of a key but the newest")


def _sized(why: str) -> Number:
    return Number("retention.bytes", -1, why, fine=inf)


_BY_ITS_CLOCK = Word(
    "message.timestamp.type",
    "LogAppendTime",
    "records of a sender whose clock is wrong may be removed too soon",
    is_needed=False,
)


def _events() -> tuple[Rule, ...]:
    return (
        _kept("all events"),
        Number("retention.ms", 7 * DAY, "what is not read by then is lost", fine=7 * DAY, needed=HOUR),
        _sized("what is not read is lost when there is much of it"),
        _BY_ITS_CLOCK,
        Number("max.message.bytes", KAFKAS_OWN, "large events are refused", fine=MIB, needed=EVENT_BYTES_MAX),
    )


def _dead() -> tuple[Rule, ...]:
    return (
        _kept("all records"),
        Number("retention.ms", 30 * DAY, "people find it too late", fine=30 * DAY, needed=DAY),
        _sized("the oldest are removed when there are many"),
        _BY_ITS_CLOCK,
        Number("max.message.bytes", 2 * MIB, "large records are cut", fine=2 * MIB),
    )


def _deliveries() -> tuple[Rule, ...]:
    return (
        _kept("all deliveries"),
        # A record is worth something for a minute: what was not attempted by then is handed out again.
        Number(
            "retention.ms",
            HOUR,
            "less than 10 minutes loses deliveries on their way, which come late then, and more than a day fills disks",
            fine=10 * MINUTE,
            fine_most=DAY,
            needed=10 * MINUTE,
        ),
        Number(
            "segment.ms",
            10 * MINUTE,
            "what is over keeps its room until a segment ends",
            fine=0,
            fine_most=HOUR,
        ),
        _BY_ITS_CLOCK,
        Number("max.message.bytes", 2 * MIB, "deliveries of large events are refused", fine=2 * MIB, needed=MIB),
    )


def _ledger() -> tuple[Rule, ...]:
    return (
        _kept("all that was recorded"),
        Number("retention.ms", 7 * DAY, "who reads later misses it", fine=7 * DAY, needed=HOUR),
        _sized("who reads late misses some when there is much of it"),
        Number("max.message.bytes", KAFKAS_OWN, "large records are refused", fine=MIB, needed=EVENT_BYTES_MAX),
    )


def _safe(copies: int, *, is_needed: bool = True) -> tuple[Rule, ...]:
    """That what a broker has acknowledged outlives it, where there are copies enough to go on without one of them."""
    least = 2 if copies >= REPLICATION else 1
    most = max(copies - 1, 1)
    why = f"with {copies} nothing is taken while a broker is away"
    if least > 1:
        why = f"below {least} a record may be lost with one broker, {why}"
    needed = least if is_needed else 0
    return (
        Number(
            "min.insync.replicas",
            least,
            why,
            fine=least,
            fine_most=most,
            needed=needed,
            needed_most=copies,
        ),
    )
