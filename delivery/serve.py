"""`hookledger serve`: the parts joined into one process, from its first listening socket to its graceful end."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path

import click

from core.operations.table import operations
from core.options import DATA, Network, allow_target_option, as_typed, data_option
from core.web import app, operator
from delivery.loop import run
from delivery.reception import Reception
from delivery.service import Service

log = logging.getLogger("hookledger.serve")


@click.command()
@data_option
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    envvar="HOOKLEDGER_HOST",
    show_envvar=True,
    help="The address to listen on.",
)
@click.option(
    "--port",
    default=8420,
    type=click.IntRange(0, 65535),
    show_default=True,
    envvar="HOOKLEDGER_PORT",
    show_envvar=True,
    help="0: any free one; the first line printed says which.",
)
@allow_target_option("A private network whose addresses webhooks may call; several may be given.")
def serve(data: Path, host: str, port: int, allow: tuple[Network, ...]) -> None:
    """Take portal events in and deliver them, until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It logs a traceback for whatever a stranger sends that is not HTTP.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    run(_serve(data, host, port, allow))


async def _serve(data: Path, host: str, port: int, allow: Sequence[Network]) -> None:
    stop = asyncio.Event()
    _listen_to_signals(stop)
    service = Service(data, environment=os.environ, allow=allow)
    public = Reception(app.build(service.office, service.readiness), lambda: service.is_ready)
    private = Reception(operator.build(service.office, operations()), lambda: service.is_ready)
    try:
        address = await public.open_port(host, port)
        click.echo(f"listening on http://{address}")
        click.echo(f"the ledger is in {data}")
        if await _started(service, stop):
            await private.open_operator(data)
            click.echo("ready")
            for line in _hints(service, data):
                click.echo(line)
            await stop.wait()
            log.info("stopping: requests under way are finished first")
    finally:
        await asyncio.gather(public.close(), private.close())
        await service.stop()


def _listen_to_signals(stop: asyncio.Event) -> None:
    """The first signal stops gracefully; a second one ends the process at once, which loses nothing either."""
    loop = asyncio.get_running_loop()

    def stop_gracefully() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_gracefully)


async def _started(service: Service, stop: asyncio.Event) -> bool:
    """Start the service; False when somebody wants it stopped before it is ready."""
    starting, stopping = asyncio.ensure_future(service.start()), asyncio.ensure_future(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait((starting,))
        return False
    await starting
    return True


def _hints(service: Service, data: Path) -> list[str]:
    """What to type next, where nobody has typed anything yet."""
    directory = service.office.directory
    if directory.webhooks or directory.tokens:
        return []
    which = "" if data == Path(DATA) else f" --data {shlex.quote(str(data))}"
    return [
        "Nobody listens yet, and nobody may publish. Next, in another terminal:",
        f"  {as_typed()} webhooks create NAME URL{which}",
        f"  {as_typed()} token create --role portal{which}",
    ]
