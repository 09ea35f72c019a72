"""Where commands ask: one ledger, and what may be called from it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from typing import Any, TypeVar

import click
import msgspec

from core.ledger.store import Place
from core.operations.operation import AnyOperation
from core.operator import Ledger, ask
from core.options import CheckUrlAllowing
from core.printing import plain
from core.setting_kinds import Network

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response")


class Desk:
    """Where commands ask: one ledger, and what may be called from it."""

    def __init__(self, allowing: CheckUrlAllowing, place: Place, allow: tuple[Network, ...] = ()) -> None:
        def check_url(url: str, ssl: bool) -> None:
            allowing(allow)(url, ssl)

        self.ledger = Ledger(place, os.environ, check_url)

    def ask(self, operation: AnyOperation[Request, Response], request: Request, key: str | None = None) -> Response:
        return asyncio.run(ask(self.ledger, operation, request, key))


def print_json(answer: Any) -> None:
    try:
        click.echo(msgspec.json.encode(answer))
    except UnicodeEncodeError:
        # A path need not be text. Escapes say its bytes as Python has them.
        click.echo(json.dumps(msgspec.to_builtins(answer), separators=(",", ":")))


def say(warnings: Sequence[str], note: str | None = None) -> None:
    """What people must know besides the answer: on standard error, so that the answer can be piped on."""
    for line in (*warnings, *(() if note is None else (note,))):
        click.echo(f"hookledger: {plain(line)}", err=True)
