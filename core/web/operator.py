"""The operator's socket: `POST /operator/NAME`, an operation's question in and its answer out, as JSON."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from core import command_key
from core.errors import HookledgerError, InvalidInputError, NotFoundError
from core.office import Office
from core.operations.operation import AnyOperation, answer
from core.operator_socket import ERROR_HEADER, SOCKET_FILE, socket_address
from core.web.app import Handler, problem, problems


def build(office: Office, operations: Mapping[str, AnyOperation[Any, Any]]) -> web.Application:
    """The application for those who can open the socket: they are the operator, and are not asked for a token."""

    async def run(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        operation = operations.get(name)
        if operation is None:
            raise NotFoundError(f"there is no operation {name!r}: the service is of another version than this command")
        try:
            asked = msgspec.json.decode(await request.read(), type=operation.request)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{name}: {error}") from None
        answered = await answer(office, operation, asked, request.headers.get(command_key.HEADER))
        return web.Response(body=msgspec.json.encode(answered), content_type="application/json")

    app = web.Application(middlewares=[problems, named])
    app.add_routes([web.post("/operator/{name}", run)])
    return app


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
