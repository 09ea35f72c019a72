"""`hookledger users`: who is who."""

from __future__ import annotations

from typing import BinaryIO

import click

from core.commands.desk import Desk
from core.commands.feeding import Ticker, ended, feed
from core.commands.input import FILE, Input
from core.conversation import conversation
from core.epilog import epilog
from core.importing import ByOperator
from core.ledger.store import Place
from core.options import CheckUrlAllowing, json_option, place_option

COUNTED = ("recorded", "unchanged")


@click.group("users")
def users_group() -> None:
    """Say who is who: import the persons of a portal."""


@users_group.command(
    "import", epilog=epilog("hookledger users import users.ndjson", "hookledger users import - --tenant 7 < users.json")
)
@FILE
@click.option("--tenant", default="1", show_default=True, metavar="T", help="The portal whose persons they are.")
@place_option
@json_option
@click.pass_obj
def import_users(allowing: CheckUrlAllowing, file: BinaryIO, tenant: str, place: Place, as_json: bool) -> None:
    """Import persons from a file, or from standard input.

    FILE is a JSON array, or one person a line (NDJSON). Each is {"id": …, "role": …, "status": …, "groups": […]}:
    role admin, room-admin, user or guest; status active, pending or terminated; groups all of theirs, by id. What
    is left out stays as it is known. "time" (RFC 3339) says since when; without it, from now on.

    It publishes nothing and delivers nothing, and records only what was not known: type it again, and all is
    unchanged. What is rejected is told with its line, and the exit code is then 1.
    """
    source = Input(file)
    ticker = Ticker(COUNTED, source.size_bytes)
    ended(_import(Desk(allowing, place), tenant, source, ticker), ticker, as_json=as_json)


async def _import(desk: Desk, tenant: str, source: Input, ticker: Ticker) -> int:
    async with conversation(desk.ledger, begins=True) as there:
        return await feed(ByOperator(there, tenant), source, ticker)
