"""Ask for an operation, whoever holds the data directory: `serve` over its socket, or nobody, and then we do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from core.check_url import CheckUrl
from core.command_key import check_key
from core.errors import (
    HookledgerError,
    InvalidInputError,
    LedgerBusyError,
    NotFoundError,
    OverloadedError,
    error_named,
)
from core.ledger.store import Place
from core.limits import ASK_TRIES_MAX, OPERATION_S, STARTING_S
from core.operations.operation import AnyOperation, Recording, answer
from core.operator_socket import ERROR_HEADER, post
from core.randomness import Randomness

if TYPE_CHECKING:  # where `serve` answers, nothing of it is needed
    from core.office import Office

_LOOK_AGAIN_S = 0.1

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response")


class Ledger(msgspec.Struct, frozen=True):
    """Which ledger to ask, and what an office needs that is opened on it."""

    place: Place
    environment: Mapping[str, str]
    check_url: CheckUrl


async def ask(
    ledger: Ledger, operation: AnyOperation[Request, Response], request: Request, key: str | None = None
) -> Response:
    """The answer of whoever holds the ledger. LedgerBusyError when somebody does and does not answer for STARTING_S.

    What records something is asked under a *key*, ours where there is none: if the connection to `serve` breaks before
    the answer is there, it is asked again, of whoever holds the ledger by then, and is done once.
    """
    if key is not None:
        check_key(key)
    loop = asyncio.get_running_loop()
    give_up_at, broken = loop.time() + STARTING_S, 0
    sent = Randomness()(16).hex() if key is None and isinstance(operation, Recording) else key
    while True:
        try:
            return await _ask_serve(ledger.place.data, operation, request, sent)
        except FileNotFoundError:
            pass  # nobody serves
        except ConnectionError as error:
            broken += 1
            if broken == ASK_TRIES_MAX:
                raise _unanswered(error) from None
            give_up_at = loop.time() + STARTING_S
            await asyncio.sleep(_LOOK_AGAIN_S)
            continue
        try:
            return await _answer_ourselves(ledger, operation, request, sent if broken else key)
        except LedgerBusyError:
            if loop.time() >= give_up_at:
                raise
            await asyncio.sleep(_LOOK_AGAIN_S)


async def ask_serve(
    data: Path, operation: AnyOperation[Request, Response], request: Request, key: str | None = None
) -> Response:
    """The answer of the `serve` that runs on *data*; FileNotFoundError when none listens."""
    try:
        return await _ask_serve(data, operation, request, key)
    except ConnectionError as error:
        raise _unanswered(error) from None


def encoded(request: Any) -> bytes:
    """A question as JSON. What was typed need not be text: InvalidInputError says which part of it is none."""
    try:
        return msgspec.json.encode(request)
    except UnicodeEncodeError:
        parts = msgspec.structs.asdict(request)
        wrong = ", ".join(name for name, value in parts.items() if value is not msgspec.UNSET and not _is_text(value))
        raise InvalidInputError(f"this is not text, it holds bytes that are no UTF-8: {wrong}") from None


def _is_text(value: Any) -> bool:
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        return False
    return True


async def _answer_ourselves(
    ledger: Ledger, operation: AnyOperation[Request, Response], request: Request, key: str | None
) -> Response:
    office = office_of(ledger, begins=operation.begins)
    try:
        await office.start()
        return await answer(office, operation, request, key)
    finally:
        await office.close()


def office_of(ledger: Ledger, *, begins: bool) -> Office:
    """An office on the ledger; NotFoundError where there is none, unless that *begins* one."""
    from core.data_directory import LEDGER_FILE
    from core.office import Office

    data, database = ledger.place
    if database is None and not begins and not (data / LEDGER_FILE).exists():
        raise NotFoundError(
            f"there is no ledger in {data}: say where it is with --data, or start one with `hookledger serve`"
        )
    return Office(data, environment=ledger.environment, check_url=ledger.check_url, database=database)


async def _ask_serve(
    data: Path, operation: AnyOperation[Request, Response], request: Request, key: str | None
) -> Response:
    try:
        async with asyncio.timeout(OPERATION_S):
            status, headers, body = await post(data, f"/operator/{operation.name}", encoded(request), key)
    except TimeoutError as error:
        raise _unanswered(error) from None
    if status != 200:
        raise error_of(headers.get(ERROR_HEADER.lower(), ""), body)
    try:
        return msgspec.json.decode(body, type=operation.response)
    except msgspec.MsgspecError as error:
        raise HookledgerError(f"`hookledger serve` is of another version than this command: {error}") from None


def _unanswered(error: Exception) -> HookledgerError:
    why = "it takes too long" if isinstance(error, TimeoutError) else "the connection broke"
    return HookledgerError(f"`hookledger serve` did not answer ({why}): look whether it was done")


def error_of(name: str, body: bytes) -> HookledgerError:
    """The error that a problem stands for, as it was raised there."""
    kind = error_named(name)
    try:
        problem: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        problem = {}
    detail = str(problem.get("detail", "the operator's socket does not answer in our words"))
    if kind is InvalidInputError or kind is OverloadedError:
        return kind(detail, limit=problem.get("limit"))
    return kind(detail)
