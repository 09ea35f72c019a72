"""The operator's socket as commands use it: its address, and one question over it.

The socket is a file in the data directory that only its owner may open: who can is the operator. What is spoken is
plain HTTP, put together by hand: to import an HTTP client takes longer than all that a command does besides.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from core import command_key
from core.errors import LedgerError

SOCKET_FILE = "operator.sock"
ERROR_HEADER = "Hookledger-Error"
"""Which error of ours an answer is, by its class."""
ORDERED_HEADER = "Hookledger-Ordered"
"""With it the head of an answer comes as soon as the operation has begun, so that who asks for several at once knows in
which order they are done; its body is a `Later`."""

_ADDRESS_BYTES_MAX = 103
"""Of a Unix socket's path: 107 on Linux, 103 elsewhere."""


class Answer(NamedTuple):
    """What came back; names of headers in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


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


async def post(data: Path, path: str, body: bytes, key: str | None) -> Answer:
    """One question. FileNotFoundError: nobody listens. ConnectionError: it broke off before the answer was there, and
    what was asked may have been done."""
    with socket_address(data) as address:
        try:
            reader, writer = await asyncio.open_unix_connection(address)
        except (FileNotFoundError, ConnectionRefusedError):
            raise FileNotFoundError(data / SOCKET_FILE) from None
        except OSError as error:
            raise LedgerError(f"{data / SOCKET_FILE} cannot be opened: {error.strerror}") from None
    try:
        writer.write(_head(path, len(body), key) + body)
        await writer.drain()
        return _answer(await reader.read())
    finally:
        writer.close()


def _head(path: str, body_bytes: int, key: str | None) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: operator",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {body_bytes}",
    ]
    if key is not None:
        lines.append(f"{command_key.HEADER}: {key}")
    return "\r\n".join([*lines, "", ""]).encode()


def _answer(received: bytes) -> Answer:
    """Our own service says how long its answers are: one that is shorter has broken off."""
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    words = status_line.split(" ")
    if len(words) < 2 or not words[1].isdigit() or headers.get("content-length") != str(len(body)):
        raise ConnectionAbortedError("it broke off before its answer was there")
    return Answer(int(words[1]), headers, body)
