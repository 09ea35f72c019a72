"""What an operation is: something the operator may ask an office for, by name, with a typed question and answer.

The same function answers inside `serve`, over the operator's socket, and without `serve` in the command's own process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from core.limits import REACH_S
from core.log import Log
from core.model.event import OPERATOR

if TYPE_CHECKING:  # a command that is answered by `serve` needs none of it, and starts sooner
    from core.ledger.unit import Recorded
    from core.office import Office
    from core.once import Asked

log = Log("operations")

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response")


class Operation(msgspec.Struct, Generic[Request, Response], frozen=True):
    """`begins`: where there is no ledger yet, it may begin one."""

    name: str
    request: type[Request]
    response: type[Response]
    run: Callable[[Office, Request], Awaitable[Response]]
    begins: bool = False


class Recording(msgspec.Struct, Generic[Request, Response], frozen=True):
    """An operation that records something: said again under the same key, it is not done again.

    `do` hands on what it was asked under to the one unit it appends (`core.once.append`). `again` makes the answer from
    the events of that unit; secrets, which are shown once, are not in it.
    """

    name: str
    request: type[Request]
    response: type[Response]
    do: Callable[[Office, Request, Asked | None], Awaitable[Response]]
    again: Callable[[Office, Request, Sequence[Recorded]], Response]
    begins: bool = False


AnyOperation = Operation[Request, Response] | Recording[Request, Response]


async def answer(
    office: Office, operation: AnyOperation[Request, Response], request: Request, key: str | None = None
) -> Response:
    """Ask the office as the operator. What only looks ignores a *key*."""
    if isinstance(operation, Operation):
        return await operation.run(office, request)
    if key is None:
        return await operation.do(office, request, None)
    asked = office.once.asked(OPERATOR, key, operation.name, request)
    return await office.once.do(
        asked, partial(operation.do, office, request), partial(operation.again, office, request)
    )


class Later(msgspec.Struct, Generic[Response], frozen=True, omit_defaults=True):
    """What comes behind the head of an answer that was sent early: the answer, or an error of ours, by its class."""

    answer: Response | None = None
    error: str = ""
    detail: str = ""
    limit: str | None = None


async def reach(office: Office, position: int) -> int:
    """Wait until the views hold *position*, but not for ever: what was asked for is recorded all the same. How many
    recorded events they are behind then."""
    try:
        async with asyncio.timeout(REACH_S):
            await office.reach(position)
    except TimeoutError as error:
        log.say("views.late", position=position, why=str(error) or f"after {REACH_S} s")
        return max(position - office.written, 1)
    return 0
