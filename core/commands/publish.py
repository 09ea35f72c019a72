"""`hookledger publish`: portal events from a file."""

from __future__ import annotations

import sys
from typing import BinaryIO

import aiohttp
import click

from core.commands.desk import Desk
from core.commands.feeding import Ticker, ended, feed
from core.commands.input import FILE, Input
from core.conversation import conversation
from core.epilog import epilog
from core.errors import HookledgerError
from core.ledger.store import Place
from core.limits import FEED_PATIENCE_S
from core.options import CheckUrlAllowing, json_option, place_option
from core.publishing import ByOperator, OverHttp

COUNTED = ("accepted", "duplicates")


@click.command(
    epilog=epilog(
        "hookledger publish events.ndjson",
        "hookledger triggers file.updated --sample | hookledger publish -",
        "hookledger publish events.ndjson --url https://hookledger.example.com --token - < token",
        then=["hookledger deliveries list"],
    )
)
@FILE
@click.option("--tenant", default="1", show_default=True, metavar="T", help="The portal whose events they are.")
@click.option("--url", metavar="URL", help="Publish to the `serve` at this address, not to the one on --data.")
@click.option("--token", metavar="-", help="With --url: a `portal` token, a line of standard input.")
@place_option
@json_option
@click.pass_obj
def publish(
    allowing: CheckUrlAllowing,
    file: BinaryIO,
    tenant: str,
    url: str | None,
    token: str | None,
    place: Place,
    as_json: bool,
) -> None:
    """Publish portal events from a file, or from standard input.

    FILE is one event, a JSON array, or one event a line (NDJSON). Each may be a plain event or a CloudEvent. They
    are taken in their order, and delivered by `serve`: by the one that runs, or at its next start. What was
    accepted once is a duplicate afterwards, so a file that was stopped half-way is typed again. What is rejected is
    told with its line, and the exit code is then 1.
    """
    source = Input(file)
    ticker = Ticker(COUNTED, source.size_bytes)
    if url is None:
        if token is not None:
            raise click.UsageError("--token is for --url: here the operator publishes")
        publishing = _here(Desk(allowing, place), tenant, source, ticker)
    else:
        publishing = _there(url, _token(token, file), source, ticker)
    ended(publishing, ticker, as_json=as_json)


def _token(said: str | None, file: BinaryIO) -> str:
    """The token from standard input: arguments are for everybody on the machine to read."""
    if said != "-":
        raise click.UsageError("--url needs --token -, and the token on standard input: it is never an argument")
    if file.fileno() == sys.stdin.fileno():
        raise click.UsageError("FILE and --token cannot both be on standard input")
    if sys.stdin.isatty():
        return str(click.prompt("token", hide_input=True, err=True))
    token = sys.stdin.readline().strip()
    if not (token.isascii() and token.isprintable()):
        raise HookledgerError(
            "what standard input has is not a token: `hookledger token create --role portal` makes one"
        )
    return token


async def _here(desk: Desk, tenant: str, source: Input, ticker: Ticker) -> int:
    async with conversation(desk.ledger, begins=False) as there:
        return await feed(ByOperator(there, tenant), source, ticker)


async def _there(url: str, token: str, source: Input, ticker: Ticker) -> int:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FEED_PATIENCE_S)) as session:
        return await feed(OverHttp(session, url, token), source, ticker)
