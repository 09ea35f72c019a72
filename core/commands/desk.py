"""Where commands ask: one data directory, and what may be called from it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from core.operations.operation import Operation
from core.operator import Ledger, ask
from core.options import CheckUrlAllowing
from core.settings import Network

Request = TypeVar("Request")
Response = TypeVar("Response")


class Desk:
    """Where commands ask: one data directory, and what may be called from it."""

    def __init__(self, allowing: CheckUrlAllowing, data: Path, allow: tuple[Network, ...] = ()) -> None:
        self._ledger = Ledger(data, os.environ, allowing(allow))

    def ask(self, operation: Operation[Request, Response], request: Request) -> Response:
        return asyncio.run(ask(self._ledger, operation, request))


def print_json(answer: Any) -> None:
    click.echo(msgspec.json.encode(answer))
