"""What a process does, of several that share a database; pure."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import InvalidInputError
from core.settings import Role

CARRYING = ("outbox", "worker")
"""What one process does without Kafka, and two do with it."""


def check(roles: Sequence[Role], *, has_database: bool, has_kafka: bool) -> None:
    """InvalidInputError when a process cannot do just that."""
    if "inbox" in roles and not has_kafka:
        raise InvalidInputError("--role inbox reads portal events from Kafka: say where it is with --kafka HOST:PORT")
    if roles and not has_database:
        raise InvalidInputError("a --role is for one of several processes, which share a --database")
    alone = [role for role in CARRYING if role in roles]
    if len(alone) == 1 and not has_kafka:
        raise InvalidInputError(
            f"--role {alone[0]} by itself needs Kafka, which carries deliveries from one process to another: say where "
            "it is with --kafka HOST:PORT, or give one process both, --role outbox --role worker"
        )


def takes_events(roles: Sequence[Role]) -> bool:
    """Whether portals publish to it."""
    return not roles or "api" in roles


def reads_topics(roles: Sequence[Role], *, has_kafka: bool) -> bool:
    """Whether it takes portal events from Kafka."""
    return has_kafka and (not roles or "inbox" in roles)


def carries(roles: Sequence[Role]) -> bool:
    """Whether it may hand deliveries out."""
    return not roles or "outbox" in roles


def hands_over(roles: Sequence[Role]) -> bool:
    """Whether it hands them out to other processes, over Kafka; not to its own workers."""
    return "outbox" in roles and "worker" not in roles


def attempts(roles: Sequence[Role]) -> bool:
    """Whether it attempts what another process hands out, over Kafka."""
    return "worker" in roles and "outbox" not in roles
