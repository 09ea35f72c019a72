"""`hookledger top`: what a running `serve` is doing, as it goes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from core.commands.desk import print_json
from core.epilog import epilog
from core.errors import HookledgerError
from core.limits import TOP_WEBHOOKS_MAX
from core.operations.top import TOP, AskTop, TopTold
from core.operator import ask_serve
from core.options import NumberRange, data_option, json_option
from core.top_rates import Seen, seen
from core.top_screen import PIPED, screen

ONCE_S = 1.0
"""What `--once` looks at."""


@click.command(
    epilog=epilog("hookledger top", "hookledger top --once --json", then=["hookledger deliveries list --webhook ID"])
)
@click.option("--once", is_flag=True, help="Look for a second, and end.")
@click.option(
    "--every",
    "every_s",
    type=NumberRange(0.2, 3_600),
    default=2.0,
    show_default=True,
    metavar="S",
    help="Look again every so many seconds.",
)
@click.option(
    "--webhooks",
    type=click.IntRange(1, TOP_WEBHOOKS_MAX),
    default=10,
    show_default=True,
    metavar="N",
    help="So many of each kind, where there is room for them.",
)
@data_option
@json_option
def top(once: bool, every_s: float, webhooks: int, data: Path, as_json: bool) -> None:
    """Watch `serve` at work: rates, backlog, latency, and which webhooks stand out.

    Ctrl-C ends it. Latencies are of what ended since the last look. With --json, each look is one object on one line.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(data, AskTop(webhooks), ONCE_S if once else every_s, once=once, as_json=as_json))


async def _watch(data: Path, request: AskTop, every_s: float, *, once: bool, as_json: bool) -> None:
    console = Console(highlight=False)
    looks = _Looks(data, request, every_s)
    where = str(data)
    if as_json:
        while True:
            print_json(await looks.next())
            if once:
                return
    if once or not console.is_terminal:
        while True:
            width, height = (console.width, console.height) if console.is_terminal else (PIPED, None)
            console.print(screen(await looks.next(), where, width, height), width=width, crop=False)
            if once:
                return
            console.print()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(screen(await looks.first_or_next(), where, console.width, console.height), refresh=True)


class _Looks:
    """One look after the other, each with what happened since the one before."""

    def __init__(self, data: Path, request: AskTop, every_s: float) -> None:
        self._data, self._request, self._every_s = data, request, every_s
        self._before: TopTold | None = None

    async def first_or_next(self) -> Seen:
        """At once the first time, without rates: nobody should look at nothing."""
        return await self._look() if self._before is None else await self.next()

    async def next(self) -> Seen:
        if self._before is None:
            await self._look()
        await asyncio.sleep(self._every_s)
        return await self._look()

    async def _look(self) -> Seen:
        try:
            now = await ask_serve(self._data, TOP, self._request)
        except FileNotFoundError:
            raise HookledgerError(
                f"nobody serves {self._data}: start `hookledger serve`, or say where it runs with --data"
            ) from None
        found = seen(self._before, now)
        self._before = now
        return found
