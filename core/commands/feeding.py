"""How a command feeds a file: a bar while it goes, on a terminal; what was refused; and in the end a line, or JSON."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from core.commands.desk import print_json
from core.commands.door import INTERRUPTED
from core.commands.input import Input
from core.errors import HookledgerError
from core.feed import Feed, Place, Way
from core.limits import FEED_REFUSED_SHOWN_MAX
from core.printing import many, plain

Item = TypeVar("Item")

STOPPING = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: 1}
"""What stops it in order, and the exit code then."""
ONE = {"duplicates": "duplicate"}
"""What is counted and is a noun; the others are said of one as of many."""


class Ticker:
    """Counts, and says how it goes. *counted* are the names of what may become of an entry, but `rejected`."""

    def __init__(self, counted: tuple[str, ...], size_bytes: int | None) -> None:
        self._counts = dict.fromkeys((*counted, "rejected"), 0)
        self._began = time.monotonic()
        self._is_waiting = False
        console = Console(stderr=True)
        self._progress = Progress(
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=size_bytes, told="")

    def __enter__(self) -> Ticker:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def refused(self, place: Place, reason: str) -> None:
        self._counts["rejected"] += 1
        if self._counts["rejected"] <= FEED_REFUSED_SHOWN_MAX:
            element = "" if place.element is None else f", element {place.element}"
            self._say(f"line {place.line}{element}: {reason}")

    def answered(self, counts: Mapping[str, int], read_bytes: int) -> None:
        self._is_waiting = False
        for name, count in counts.items():
            self._counts[name] += count
        told = f"{self.total:,} at {self._per_s():,.0f}/s"
        self._progress.update(self._task, completed=read_bytes, told=told)

    def waits(self, reason: str) -> None:
        if not self._is_waiting:
            self._say(f"{reason}: waiting for it")
        self._is_waiting = True
        self._progress.update(self._task, told="waiting")

    @property
    def total(self) -> int:
        return sum(self._counts.values())

    @property
    def has_refused(self) -> bool:
        return self._counts["rejected"] > 0

    def told(self) -> dict[str, Any]:
        """As `--json` prints it."""
        seconds = round(time.monotonic() - self._began, 3)
        return {**self._counts, "seconds": seconds, "per_s": round(self._per_s(), 1)}

    def line(self) -> str:
        counts = ", ".join(many(count, ONE.get(name, name), name) for name, count in self._counts.items())
        return f"{counts}, in {time.monotonic() - self._began:.1f} s: {self._per_s():,.0f}/s"

    def more(self) -> str | None:
        """About the refused that were not told one by one."""
        hidden = self._counts["rejected"] - FEED_REFUSED_SHOWN_MAX
        return None if hidden <= 0 else f"and {hidden:,} more that were rejected (FEED_REFUSED_SHOWN_MAX)"

    def _per_s(self) -> float:
        return self.total / max(time.monotonic() - self._began, 0.001)

    def _say(self, words: str) -> None:
        # Not `click.echo`: the bar has to make room for it.
        self._progress.console.print(plain(words), markup=False, highlight=False, soft_wrap=True)


async def feed(way: Way[Item], source: Input, ticker: Ticker) -> int:
    """Feed it until its end, or until somebody wants it stopped; the exit code. A second Ctrl-C ends at once."""
    feeding = Feed(way, ticker)
    loop = asyncio.get_running_loop()
    code = 0

    def stop(with_code: int) -> None:
        nonlocal code
        code = with_code
        feeding.stop()
        for number in STOPPING:
            loop.remove_signal_handler(number)

    for number, its_code in STOPPING.items():
        loop.add_signal_handler(number, stop, its_code)
    with ticker:
        await feeding.run(source)
    return code


def ended(feeding: Coroutine[Any, Any, int], ticker: Ticker, *, as_json: bool) -> None:
    """Run it, say what became of it, and end: 0 when all of it was taken."""
    try:
        code = asyncio.run(feeding)
    except HookledgerError as error:
        if not ticker.total:
            raise
        click.echo(f"hookledger: {error}", err=True)
        code = 1
    if (more := ticker.more()) is not None:
        click.echo(more, err=True)
    if as_json:
        print_json(ticker.told())
    else:
        click.echo(ticker.line())
    if code:
        click.echo("It did not come to the end. Type it again: what was taken is known, and taken once.", err=True)
    if code or ticker.has_refused:
        sys.exit(code or 1)
