"""The whole story of one delivery, from the ledger: its portal event, and all that was recorded of it since."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.errors import NotFoundError
from core.ledger.read import Reader
from core.ledger.unit import Body, Recorded
from core.model.delivery import Created
from core.model.event import Event


class Step(msgspec.Struct, frozen=True):
    """A recorded event: where it stands, when its commit was made, and the bytes beside it that were not forgotten."""

    position: int
    committed_at: int
    event: Event
    body: Body | None


class Story(msgspec.Struct, frozen=True):
    """`steps` begins with the delivery's Created; the bodies of the others are what the receiver answered."""

    number: int
    delivery: bytes
    received: Step
    steps: Sequence[Step]


def story(reader: Reader, number: int) -> Story:
    """The story of the delivery of this number; blocks. NotFoundError when no delivery has it."""
    created = reader.at([number]).get(number)
    if created is None or not isinstance(created.event, Created):
        raise NotFoundError(f"there is no delivery {number}")
    received = reader.first_of([created.event.event])[created.event.event]
    told = [received, *reader.stream(created.stream)]
    bodies = reader.bodies([recorded.position for recorded in told])
    first, *steps = (_step(reader, recorded, bodies.get(recorded.position)) for recorded in told)
    return Story(number, created.stream, first, steps)


def _step(reader: Reader, recorded: Recorded, body: Body | None) -> Step:
    committed_at = reader.committed_at(recorded.position)
    assert committed_at is not None, "every position is in a commit"
    return Step(recorded.position, committed_at, recorded.event, body)
