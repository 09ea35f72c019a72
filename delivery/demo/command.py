"""`hookledger demo`: from nothing to signed, verified, retried deliveries, in processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from core.epilog import epilog
from core.errors import HookledgerError
from core.options import as_typed
from delivery.demo.play import Play
from delivery.demo.processes import Crew

LOG_LINES_MAX = 20
NEXT = (
    ("serve --allow-target 127.0.0.0/8", "the service; it says what to type next"),
    ("listen", "in another terminal: a receiver for people"),
    ("webhooks create mine http://127.0.0.1:8421/ --no-ssl", "in a third: tell it everything"),
    ("deliveries list", "what was sent, and how it went"),
)


@click.command(epilog=epilog("hookledger demo", then=["hookledger serve --allow-target 127.0.0.0/8"]))
def demo() -> None:
    """Show all of it, from nothing, in under a minute; it leaves nothing behind."""
    console = Console(highlight=False)
    console.print(Text("hookledger: from portal events to signed, verified deliveries", "bold"))
    console.print("A service, a receiver and the commands between them run as you would run them.")
    with tempfile.TemporaryDirectory(prefix="hookledger-demo-", ignore_cleanup_errors=True) as folder:
        data, log = Path(folder) / "data", Path(folder) / "log"
        console.print(f"Their data are in {folder}, and gone at the end.")
        try:
            took_s, notes = asyncio.run(_play(console, data, log))
        except HookledgerError:
            _show_log(log)
            raise
        except asyncio.CancelledError:
            raise HookledgerError("the demo was stopped") from None
    console.print()
    console.print(Text(f"All as it should be, in {took_s:.0f} s", "bold green"))
    for note in notes:
        console.print(Text.assemble(("  ✓ ", "green"), note), soft_wrap=True)
    console.print()
    console.print(Text("Next", "bold"))
    typed = [(f"{as_typed()} {words}", what) for words, what in NEXT]
    width = max(len(command) for command, _ in typed)
    for command, what in typed:
        console.print(Text.assemble("  ", (command.ljust(width), "cyan"), f"  {what}"), soft_wrap=True)


async def _play(console: Console, data: Path, log: Path) -> tuple[float, list[str]]:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    # Whoever stops the demo stops its processes: an end without goodbye would leave them.
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    started = loop.time()
    # Somebody's own settings are not for the demo, and neither is their ledger; an empty variable is as none.
    elsewhere = dict.fromkeys(("HOOKLEDGER_DATABASE", "HOOKLEDGER_KAFKA", "HOOKLEDGER_ROLE"), "")
    crew = Crew({"HOOKLEDGER_DATA": str(data), "HOOKLEDGER_CONFIG": os.devnull, **elsewhere}, log)
    play = Play(console, crew, data)
    try:
        await play.run()
    finally:
        await crew.stop_all()
    return loop.time() - started, play.notes


def _show_log(log: Path) -> None:
    if log.exists():
        lines = log.read_text(errors="replace").splitlines()
        for line in lines[-LOG_LINES_MAX:]:
            print(line, file=sys.stderr)  # noqa: T201 -- what the processes said, as they said it
