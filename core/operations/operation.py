"""What an operation is: something the operator may ask an office for, by name, with a typed question and answer.

The same function answers inside `serve`, over the operator's socket, and without `serve` in the command's own process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from core.limits import REACH_S
from core.office import Office

log = logging.getLogger("hookledger.operations")

Request = TypeVar("Request")
Response = TypeVar("Response")


class Operation(msgspec.Struct, Generic[Request, Response], frozen=True):
    """`begins`: where there is no ledger yet, it may begin one."""

    name: str
    request: type[Request]
    response: type[Response]
    run: Callable[[Office, Request], Awaitable[Response]]
    begins: bool = False


async def reach(office: Office, position: int) -> None:
    """Wait until the views hold *position*, but not for ever: what was asked for is recorded all the same."""
    try:
        async with asyncio.timeout(REACH_S):
            await office.reach(position)
    except TimeoutError:
        log.warning("the views do not hold position %d after %d s; answering without them", position, REACH_S)
