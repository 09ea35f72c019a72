"""What a process does, of several that share a database; pure."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import InvalidInputError
from core.settings import Role


def check(roles: Sequence[Role], *, has_database: bool, has_kafka: bool) -> None:
    """InvalidInputError when a process cannot do just that."""
    if "inbox" in roles and not has_kafka:
        raise InvalidInputError("--role inbox reads portal events from Kafka: say where it is with --kafka HOST:PORT")
    if roles and not has_database:
        raise InvalidInputError("a --role is for one of several processes, which share a --database")
    if ("outbox" in roles) != ("worker" in roles):
        raise InvalidInputError(
            "--role outbox and --role worker go together: nothing carries deliveries from one process to another yet"
        )


def takes_events(roles: Sequence[Role]) -> bool:
    """Whether portals publish to it."""
    return not roles or "api" in roles


def reads_topics(roles: Sequence[Role], *, has_kafka: bool) -> bool:
    """Whether it takes portal events from Kafka."""
    return has_kafka and (not roles or "inbox" in roles)


def carries(roles: Sequence[Role]) -> bool:
    """Whether it may hand deliveries out, and attempts them."""
    return not roles or "outbox" in roles
