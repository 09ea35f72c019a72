"""A receiver for people: verifies what arrives, shows it, and fails on purpose when told to (`hookledger listen`)."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click
import msgspec
from aiohttp import web
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from core.clock import Clock, SystemClock
from core.commands.secret import NEVER_AN_ARGUMENT, read_secret
from core.epilog import epilog
from core.printing import console, plain
from core.wire.signature import Signer
from core.wire.verdict import Verdict, docspace_verdict, standard_verdict

BODY_BYTES_MAX = 16 * 1024 * 1024
"""One request to `listen`."""
GRACE_S = 2.0
"""For requests under way when it stops."""
COUNTED_MAX = 100_000
"""Deliveries whose failures are counted; beyond it the oldest are forgotten, and would fail again."""

VERDICT_STYLES: dict[Verdict, str] = {
    "verified": "green",
    "wrong": "bold red",
    "stale": "bold red",
    "missing": "yellow",
    "unchecked": "dim",
}


class RequestReport(msgspec.Struct, frozen=True, kw_only=True):
    """One POST, what it says, whether its signatures hold, and the status it was answered with.

    `delivery` is its `webhook-id`, `retry` its `retryCount`; `event` and `trigger` None: the body does not say.
    `body` is as it came, but for bytes that are no UTF-8.
    """

    path: str
    status: int
    delivery: str
    event: int | None
    trigger: str | None
    retry: int
    docspace: Verdict
    standard: Verdict
    headers: tuple[tuple[str, str], ...]
    body: str


def listen_app(
    secrets: Sequence[str],
    fail_first: int,
    fail_status: int,
    on_request: Callable[[RequestReport], None],
    *,
    fail_prefix: str = "",
    clock: Clock | None = None,
) -> web.Application:
    """A receiver on every path. It answers HEAD with 200, and a POST with 401 when there are *secrets* and no signature
    of it holds; else the first *fail_first* requests of every delivery with *fail_status* (only on paths that begin
    with *fail_prefix*), and 200. Without a *clock* no timestamp is stale."""
    receiver = _Receiver([Signer(secret) for secret in secrets], fail_first, fail_status, fail_prefix)

    async def probe(_: web.Request) -> web.Response:
        return web.Response()

    async def hear(request: web.Request) -> web.Response:
        report = receiver.judge(request, await request.read(), None if clock is None else clock.now_ms() // 1000)
        on_request(report)
        return web.Response(status=report.status, text=receiver.answer(report))

    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.router.add_route("HEAD", "/{path:.*}", probe)
    app.router.add_route("POST", "/{path:.*}", hear)
    return app


class _Receiver:
    """Whom it knows, and how often each delivery has failed here."""

    def __init__(self, signers: Sequence[Signer], fail_first: int, fail_status: int, fail_prefix: str) -> None:
        self._signers = signers
        self._fail_first = fail_first
        self._fail_status = fail_status
        self._fail_prefix = fail_prefix
        self._failures: dict[str, int] = {}

    def judge(self, request: web.Request, body: bytes, now_s: int | None) -> RequestReport:
        headers = request.headers
        delivery = headers.get("webhook-id", "")
        docspace = docspace_verdict(self._signers, headers.get("x-docspace-signature-256"), body)
        standard = standard_verdict(
            self._signers,
            delivery,
            headers.get("webhook-timestamp", ""),
            headers.get("webhook-signature"),
            body,
            now_s,
        )
        known = not self._signers or "verified" in (docspace, standard)
        event, trigger, retry = _said(body)
        return RequestReport(
            path=request.path_qs,
            status=self._status(request.path, delivery) if known else 401,
            delivery=_text(delivery),
            event=event,
            trigger=trigger,
            retry=retry,
            docspace=docspace,
            standard=standard,
            headers=tuple((str(name), _text(value)) for name, value in headers.items()),
            body=body.decode("utf-8", "replace"),
        )

    def answer(self, report: RequestReport) -> str:
        if report.status == 200:
            return "thank you"
        if report.status == 401 and self._signers and "verified" not in (report.docspace, report.standard):
            return "no signature holds under the secrets given"
        return "failed on purpose"

    def _status(self, path: str, delivery: str) -> int:
        if self._fail_first == 0 or not path.startswith(self._fail_prefix):
            return 200
        failures = self._failures.get(delivery, 0)
        if failures >= self._fail_first:
            return 200
        self._failures[delivery] = failures + 1
        if len(self._failures) > COUNTED_MAX:
            del self._failures[next(iter(self._failures))]
        return self._fail_status


def _text(header: str) -> str:
    """aiohttp hides what is no UTF-8 in surrogates, which nothing can print."""
    return header.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Event(msgspec.Struct):
    id: int | None = None
    trigger: str | None = None


class _Webhook(msgspec.Struct):
    retryCount: int = 0  # noqa: N815 - as it is on the wire


class _Body(msgspec.Struct):
    event: _Event
    webhook: _Webhook


def _said(body: bytes) -> tuple[int | None, str | None, int]:
    try:
        said = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None, 0
    return said.event.id, said.event.trigger, said.webhook.retryCount


def print_request(console: Console, report: RequestReport) -> None:
    """For eyes: what came, whether to trust it, and its body; nothing in it can steer the terminal."""
    ok = 200 <= report.status < 300
    line = Text.assemble(
        ("POST ", "bold"), plain(report.path), " ", (plain(report.trigger or "no event of DocSpace's form"), "bold")
    )
    if report.event is not None:
        line.append(f" event {report.event}")
    if report.retry:
        line.append(f" retry {report.retry}", "yellow")
    line.append(" → ")
    line.append(str(report.status), "bold green" if ok else "bold red")
    signatures = Text.assemble(
        f"  webhook-id {plain(report.delivery) or 'missing'}  x-docspace-signature-256 ",
        (report.docspace, VERDICT_STYLES[report.docspace]),
        "  webhook-signature ",
        (report.standard, VERDICT_STYLES[report.standard]),
    )
    console.print(line, soft_wrap=True)
    console.print(signatures, soft_wrap=True)
    console.print(JSONHighlighter()(Text(plain(_indented(report.body)))), soft_wrap=True)


def _indented(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


@click.command(
    epilog=epilog(
        "hookledger listen",
        "hookledger listen --secret - --fail 1",
        then=["hookledger webhooks create mine http://127.0.0.1:8421/ --no-ssl"],
    )
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8421, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="-",
    help="A line of standard input: a secret, or the whsec_ string for verifiers. Several may be given, a line each.",
)
@click.option("--fail", "fail_first", default=0, type=click.IntRange(min=0), help="Fail the first N of each delivery.")
@click.option("--status", "fail_status", default=500, show_default=True, type=click.IntRange(300, 599), help="With it.")
@click.option("--fail-path", "fail_prefix", default="", help="Fail only on paths that begin so.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after N requests.")
def listen(
    host: str,
    port: int,
    secrets: tuple[str, ...],
    fail_first: int,
    fail_status: int,
    fail_prefix: str,
    as_json: bool,
    count: int | None,
) -> None:
    """Receive deliveries, verify their signatures and show them, until Ctrl-C."""
    to = console()
    if set(secrets) - {"-"}:
        raise click.UsageError(NEVER_AN_ARGUMENT)
    known = [read_secret() for _ in secrets]
    if "" in known:
        raise click.UsageError("a secret is empty")

    def show(report: RequestReport) -> None:
        if as_json:
            click.echo(msgspec.json.encode(report))
        else:
            print_request(to, report)

    app_for = partial(listen_app, known, fail_first, fail_status, fail_prefix=fail_prefix, clock=SystemClock())
    try:
        asyncio.run(_listen(host, port, count, show, app_for))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error


async def _listen(
    host: str,
    port: int,
    count: int | None,
    show: Callable[[RequestReport], None],
    app_for: Callable[[Callable[[RequestReport], None]], web.Application],
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    left = count

    def heard(report: RequestReport) -> None:
        nonlocal left
        try:
            show(report)
        except BrokenPipeError:  # whoever was reading has seen enough
            stop.set()
        if left is not None:
            left -= 1
            if left == 0:
                stop.set()

    runner = web.AppRunner(app_for(heard), access_log=None, shutdown_timeout=GRACE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address: Any = runner.addresses[0]
        click.echo(f"listening on http://{host}:{address[1]}", err=True)
        await stop.wait()
    finally:
        await runner.cleanup()
