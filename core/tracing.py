"""The port of tracing: who makes spans of what happens, if anybody does. Without it nothing is imported, or done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from core.directory import Directory
from core.ledger.tail import Segment
from core.model.portal_event import Received


class Accepting(Protocol):
    """The span of one request that brings portal events."""

    context: str | None
    """What is recorded with its events, for their attempts to go on from; None: nobody traces it."""

    def end(self, status: int | None, error: str | None) -> None:
        """It was answered with this status, or by an error of this name."""
        ...


class Tracing(Protocol):
    """Makes spans; what it says is exported by somebody else's thread."""

    def accept(self, context: str | None) -> Accepting:
        """A request has come, with this trace context or with none."""
        ...

    def takes_part(self, context: str) -> bool:
        """Whether attempts of this trace have spans."""
        ...

    def follow(self, segment: Segment) -> None:
        """Make the spans of what one commit added: of the commit, of attempts, and of their waits."""
        ...

    def watch(self, directory: Directory, under_way: Callable[[int], tuple[Received, int] | None]) -> None:
        """Whose deliveries they are; and of one that is under way, by its number, the portal event, and when it was
        due. It is asked before the outbox hears that the delivery has ended."""
        ...

    def close(self) -> None:
        """Export what is left; blocks, but not for long."""
        ...
