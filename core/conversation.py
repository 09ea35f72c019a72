"""Many operations asked of whoever holds the data directory: of `serve`, over its socket, or of an office of our own.

Who asks for several at once may rely on their order: each begins after the one before it. A `serve` that goes away is
told by a ConnectionError, and may be asked again when it is back: nobody else opens the ledger in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

import aiohttp
import msgspec

from core.errors import HookledgerError, LedgerBusyError
from core.limits import FEED_PATIENCE_S, STARTING_S
from core.no_answer import no_answer
from core.operations.operation import AnyOperation, Later, answer
from core.operator import Ledger, encoded, error_of, office_of
from core.operator_socket import ERROR_HEADER, ORDERED_HEADER, socket_address

if TYPE_CHECKING:  # where `serve` answers, nothing of it is needed
    from core.office import Office

AGAIN_S = 0.1
"""How long until it is looked again whether somebody answers."""

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response")


class Conversation(Protocol):
    """Somebody who answers."""

    async def begin(self, operation: AnyOperation[Request, Response], request: Request) -> asyncio.Future[Response]:
        """Ask; returns as soon as it has begun, with its answer to come. ConnectionError: nobody is there."""
        ...


@asynccontextmanager
async def conversation(ledger: Ledger, *, begins: bool) -> AsyncIterator[Conversation]:
    """Whoever holds the ledger, for as long as it is asked. *begins*: where there is no ledger yet, begin one.

    LedgerBusyError when somebody holds it and does not answer for STARTING_S.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + STARTING_S
    while True:
        with socket_address(ledger.place.data) as address:
            if await _is_open(address):
                timeout = aiohttp.ClientTimeout(total=FEED_PATIENCE_S)
                async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(address), timeout=timeout) as session:
                    yield _WithServe(session)
                return
        try:
            office = office_of(ledger, begins=begins)
        except LedgerBusyError:
            if loop.time() >= give_up_at:
                raise
            await asyncio.sleep(AGAIN_S)
            continue
        try:
            await office.start()
            yield _WithOffice(office)
        finally:
            await office.close()
        return


async def _is_open(address: str) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(address)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    writer.close()
    return True


class _WithOffice:
    """An office in this process."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def begin(self, operation: AnyOperation[Request, Response], request: Request) -> asyncio.Future[Response]:
        # Tasks take their first step in the order they were made.
        return asyncio.ensure_future(answer(self._office, operation, request))


class _WithServe:
    """A `serve`, over its socket."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def begin(self, operation: AnyOperation[Request, Response], request: Request) -> asyncio.Future[Response]:
        url, headers = f"http://operator/operator/{operation.name}", {ORDERED_HEADER: "1"}
        try:
            response = await self._session.post(url, data=encoded(request), headers=headers)
            if response.status != 200:
                async with response:
                    raise error_of(response.headers.get(ERROR_HEADER, ""), await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _away(error) from None
        return asyncio.ensure_future(self._rest(response, operation.response))

    async def _rest(self, response: aiohttp.ClientResponse, kind: type[Response]) -> Response:
        try:
            async with response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _away(error) from None
        try:
            later: Later[Response] = msgspec.json.decode(body, type=Later[kind])  # type: ignore[valid-type]
        except msgspec.MsgspecError as error:
            raise HookledgerError(f"`hookledger serve` is of another version than this command: {error}") from None
        if later.answer is None:
            raise error_of(later.error, body)
        return later.answer


def _away(error: Exception) -> ConnectionError:
    return ConnectionError(f"`hookledger serve` does not answer ({no_answer(error)})")
