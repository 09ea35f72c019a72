"""The operator's socket: `POST /operator/NAME`, an operation's question in and its answer out, as JSON."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from core import command_key
from core.errors import HookledgerError, InvalidInputError, NotFoundError
from core.limits import REQUEST_BYTES_MAX
from core.log import Log
from core.office import Office
from core.operations.operation import AnyOperation, Later, answer
from core.operator_socket import ERROR_HEADER, ORDERED_HEADER, SOCKET_FILE, socket_address
from core.web.app import FAULT, Handler, problem, problems
from core.web.counted import counted

log = Log("web")


def build(office: Office, operations: Mapping[str, AnyOperation[Any, Any]]) -> web.Application:
    """The application for those who can open the socket: they are the operator, and are not asked for a token."""

    async def run(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        operation = operations.get(name)
        if operation is None:
            raise NotFoundError(f"there is no operation {name!r}: the service is of another version than this command")
        try:
            asked = msgspec.json.decode(await request.read(), type=operation.request)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{name}: {error}") from None
        answering = answer(office, operation, asked, request.headers.get(command_key.HEADER))
        if ORDERED_HEADER in request.headers:
            return await _later(request, asyncio.ensure_future(answering))
        return web.Response(body=msgspec.json.encode(await answering), content_type="application/json")

    app = web.Application(middlewares=[counted(office.tally), problems, named], client_max_size=REQUEST_BYTES_MAX)
    app.add_routes([web.post("/operator/{name}", run)])
    return app


async def _later(request: web.Request, answering: asyncio.Future[Any]) -> web.StreamResponse:
    """An answer whose head is sent before it is known. Whoever goes away meanwhile has it done all the same."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    with suppress(ConnectionError):
        await response.prepare(request)
    await asyncio.wait((answering,))
    error = answering.exception()
    if error is None:
        later = Later(answering.result())
    elif isinstance(error, HookledgerError):
        later = Later(None, type(error).__name__, str(error), getattr(error, "limit", None))
    else:
        log.say("request.bug", error, method=request.method, path=request.path)
        later = Later(None, HookledgerError.__name__, FAULT)
    with suppress(ConnectionError):
        await response.write(msgspec.json.encode(later))
    return response


@web.middleware
async def named(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say which error it was, so that the command fails as it would have without us."""
    try:
        return await handler(request)
    except HookledgerError as error:
        told = problem(error)
        told.headers[ERROR_HEADER] = type(error).__name__
        return told


class OperatorSite(web.BaseSite):
    """The socket in the data directory. Only for who holds the lock: a file that is there already is a dead one's.

    aiohttp's own site would open it with whatever mode the process gives to new files.
    """

    def __init__(self, runner: web.AppRunner, data: Path) -> None:
        super().__init__(runner)
        self._path = data / SOCKET_FILE

    @property
    def name(self) -> str:
        return f"http://unix:{self._path}:"

    async def start(self) -> None:
        await super().start()
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_unix_server(server, sock=_bound(self._path))

    async def stop(self) -> None:
        await super().stop()
        self._path.unlink(missing_ok=True)


def _bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_address(path.parent) as address:
            before = os.umask(0o177)
            try:
                bound.bind(address)
            finally:
                os.umask(before)
    except BaseException:  # whatever it was, the socket is not left half made
        bound.close()
        raise
    return bound
