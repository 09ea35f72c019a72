"""Ask for an operation, whoever holds the data directory: `serve` over its socket, or nobody, and then we do.

The socket is a file in the data directory that only its owner may open: who can is the operator.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec

from core.errors import (
    ConflictError,
    HookledgerError,
    InvalidInputError,
    LedgerBusyError,
    LedgerError,
    NotAllowedError,
    NotFoundError,
    OverloadedError,
    PluginError,
    UnauthorizedError,
)
from core.limits import OPERATION_S, STARTING_S
from core.office import LEDGER_FILE, Office
from core.operations.operation import Operation
from core.webhooks import CheckUrl

SOCKET_FILE = "operator.sock"
ERROR_HEADER = "Hookledger-Error"
"""Which error of ours an answer is, by its class."""

_ADDRESS_BYTES_MAX = 103
"""Of a Unix socket's path: 107 on Linux, 103 elsewhere."""
_LOOK_AGAIN_S = 0.1
_ERRORS = {
    kind.__name__: kind
    for kind in (
        ConflictError,
        HookledgerError,
        InvalidInputError,
        LedgerBusyError,
        LedgerError,
        NotAllowedError,
        NotFoundError,
        OverloadedError,
        PluginError,
        UnauthorizedError,
    )
}

Request = TypeVar("Request")
Response = TypeVar("Response")


class Ledger(msgspec.Struct, frozen=True):
    """Which data directory to ask, and what an office needs that is opened on it."""

    data: Path
    environment: Mapping[str, str]
    check_url: CheckUrl


@contextmanager
def socket_address(data: Path) -> Iterator[str]:
    """The address of the socket in *data*, which may be longer than addresses of Unix sockets can be."""
    path = data / SOCKET_FILE
    for address in (str(path), os.path.relpath(path)):
        if len(os.fsencode(address)) <= _ADDRESS_BYTES_MAX:
            yield address
            return
    if not Path("/proc/self/fd").is_dir():
        raise LedgerError(f"the path of {path} is too long for a Unix socket: use a --data with a shorter one")
    directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{SOCKET_FILE}"
    finally:
        os.close(directory)


async def ask(ledger: Ledger, operation: Operation[Request, Response], request: Request) -> Response:
    """The answer of whoever holds the ledger. LedgerBusyError when somebody does and does not answer for STARTING_S."""
    if not operation.begins and not (ledger.data / LEDGER_FILE).exists():
        raise NotFoundError(
            f"there is no ledger in {ledger.data}: say where it is with --data, or start one with `hookledger serve`"
        )
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + STARTING_S
    while True:
        try:
            return await ask_serve(ledger.data, operation, request)
        except FileNotFoundError:
            pass  # nobody serves
        try:
            office = Office(ledger.data, environment=ledger.environment, check_url=ledger.check_url)
        except LedgerBusyError:
            if loop.time() >= give_up_at:
                raise
            await asyncio.sleep(_LOOK_AGAIN_S)
            continue
        try:
            await office.start()
            return await operation.run(office, request)
        finally:
            await office.close()


async def ask_serve(data: Path, operation: Operation[Request, Response], request: Request) -> Response:
    """The answer of the `serve` that runs on *data*; FileNotFoundError when none listens."""
    with socket_address(data) as address:
        connector = aiohttp.UnixConnector(address)
        timeout = aiohttp.ClientTimeout(total=OPERATION_S)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.post(
                    f"http://operator/operator/{operation.name}", data=msgspec.json.encode(request)
                ) as response,
            ):
                body = await response.read()
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, FileNotFoundError | ConnectionRefusedError):
                raise FileNotFoundError(data / SOCKET_FILE) from None
            raise LedgerError(f"{data / SOCKET_FILE} cannot be opened: {error.os_error.strerror}") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HookledgerError(
                f"`hookledger serve` did not answer ({type(error).__name__}): look whether it was done"
            ) from None
    if response.status != 200:
        raise _error(response.headers.get(ERROR_HEADER, ""), body)
    try:
        return msgspec.json.decode(body, type=operation.response)
    except msgspec.MsgspecError as error:
        raise HookledgerError(f"`hookledger serve` is of another version than this command: {error}") from None


def _error(name: str, body: bytes) -> HookledgerError:
    """The error that a problem stands for, as it was raised there."""
    kind = _ERRORS.get(name, HookledgerError)
    try:
        problem: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        problem = {}
    detail = str(problem.get("detail", "the operator's socket does not answer in our words"))
    if kind is InvalidInputError or kind is OverloadedError:
        return kind(detail, limit=problem.get("limit"))
    return kind(detail)
