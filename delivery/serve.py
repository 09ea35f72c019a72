"""`hookledger serve`: the parts joined into one process, from its first listening socket to its graceful end."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from logging import INFO
from pathlib import Path

import click

from core.clock import SystemClock
from core.epilog import epilog
from core.hook_guard import HookGuard
from core.ledger.store import Database
from core.ledger.unit import Unit
from core.log import Log, LogHandler, set_up
from core.operations.table import operations
from core.options import as_typed, file_read, settings_options
from core.settings import Settings
from core.tracing import Tracing
from core.web import app, operator
from delivery import roles
from delivery.connections import Connections
from delivery.kafka_roles import KafkaRoles
from delivery.left import Left
from delivery.loop import run
from delivery.reception import Reception
from delivery.resolver import DnsResolver
from delivery.service import Service

log = Log("serve")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Variables of OpenTelemetry that ask for spans, as OTEL_TRACES_EXPORTER does."""


@click.command(
    epilog=epilog(
        "hookledger serve",
        "hookledger serve --data /var/lib/hookledger --host 0.0.0.0 --allow-target 10.0.0.0/8",
        then=["hookledger webhooks create NAME URL", "hookledger token create --role portal"],
    )
)
@settings_options
@click.pass_context
def serve(context: click.Context, settings: Settings) -> None:
    """Take portal events in and deliver them, until SIGTERM or Ctrl-C."""
    run(_serve(settings, file_read(context), set_up(sys.stderr, settings.log_format, settings.log_level)))


async def _serve(settings: Settings, file: Path | None, lines: LogHandler) -> None:
    stop = asyncio.Event()
    _listen_to_signals(stop)
    service = service_of(settings, _tracing(os.environ))
    service.office.plugins.asker.guard = guard = HookGuard()
    service.office.renewal.on_complete = lambda: _say_ready(service)
    connections = Connections(service.shares.connections)
    service.office.gauges += [lines.samples, connections.samples]
    site = app.build(
        service.office,
        service.readiness,
        intake_bytes_max=settings.intake_bytes_max,
        takes_events=roles.takes_events(settings.role),
    )
    public = Reception(site, lambda: service.is_ready, connections, service.shares.backlog)
    over_kafka = None if settings.kafka is None else KafkaRoles(service, settings, os.environ)
    private = Reception(operator.build(service.office, operations()), lambda: service.is_ready)
    try:
        address = await public.open_port(settings.host, settings.port)
        click.echo(f"listening on http://{address}")
        click.echo(f"the ledger is in {service.place}")
        if file is not None:
            click.echo(f"settings are from {file}")
        if await _started(service, stop):
            if over_kafka is not None:
                over_kafka.start()
            await private.open_operator(settings.data)
            _say_ready(service)
            log.say("serve.started", version=version("hookledger"), address=address, data=service.place)
            for line in _hints(service, settings.data):
                click.echo(line)
            await stop.wait()
            log.say("serve.stopping", stop_s=settings.stop_s)
    finally:
        left = await _stop(service, (public, private), over_kafka, settings.stop_s)
        guard.close()
    if left.waiting is None and left.is_shared:
        log.say("serve.left", finished=left.finished, cut_off=left.cut_off)
    else:
        log.say("serve.stopped", finished=left.finished, cut_off=left.cut_off, waiting=left.waiting)
    if not (log.is_on(INFO) and _is_one_place()):
        click.echo(str(left))


def _is_one_place() -> bool:
    """Whether standard output and the log end up on one terminal, in one file or one journal."""
    return os.path.samestat(os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno()))


def _say_ready(service: Service) -> None:
    """Or say why it is not; what it does nevertheless, it does."""
    reasons = service.readiness()
    for line in [f"not ready: {reason}" for reason in reasons] or ["ready"]:
        click.echo(line)


def _tracing(environment: Mapping[str, str]) -> Tracing | None:
    """Spans, where the environment asks for them in OpenTelemetry's words, and the extra is installed."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    is_asked = exporter not in ("", "none") or any(environment.get(name) for name in ENDPOINTS)
    if not is_asked or exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        log.say("tracing.missing")
        return None
    from delivery.spans import Spans, provider  # noqa: PLC0415 -- what it imports is an extra

    return Spans(provider(environment), SystemClock().now_ms)


def service_of(settings: Settings, tracing: Tracing | None = None) -> Service:
    roles.check(settings.role, has_database=settings.database is not None, has_kafka=settings.kafka is not None)
    return Service(
        settings.data,
        environment=os.environ,
        allow=settings.allow_target,
        resolver=DnsResolver(),
        young_requests_max=settings.young_requests_max,
        ready_bytes_max=settings.ready_bytes_max,
        tracing=tracing,
        database=None if settings.database is None else Database(settings.database, settings.schema),
        carries=roles.carries(settings.role),
    )


async def _stop(
    service: Service, receptions: Sequence[Reception], over_kafka: KafkaRoles | None, wait_s: float
) -> Left:
    """Take nothing new and finish what is under way, within the time; the health is told until the end of it."""
    for reception in receptions:
        reception.retire()
    finishing = service.finish(wait_s, *(reception.finish() for reception in receptions))
    cut_off = 0
    if over_kafka is None:
        await finishing
    else:
        _, cut_off = await asyncio.gather(finishing, over_kafka.stop_reading())
    await asyncio.gather(*(reception.close() for reception in receptions))
    if over_kafka is not None:
        await over_kafka.stop_telling()
    left = await service.stop(0)
    if over_kafka is not None:
        await over_kafka.close()
    return left._replace(cut_off=left.cut_off + cut_off)


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
    if service.office.database is not None:
        # Who may only read would find out by the first outcome that cannot be recorded.
        await service.office.writer.append([Unit([])])
    return True


def _hints(service: Service, data: Path) -> list[str]:
    """What to type next, where nobody has typed anything yet."""
    directory = service.office.directory
    if directory.webhooks or directory.tokens:
        return []
    which = "" if data == Settings().data else f" --data {shlex.quote(str(data))}"
    return [
        "Nobody listens yet, and nobody may publish. Next, in another terminal:",
        f"  {as_typed()} webhooks create NAME URL{which}",
        f"  {as_typed()} token create --role portal{which}",
    ]
