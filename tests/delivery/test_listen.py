"""The receiver for people, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner
from rich.console import Console

from core.clock import SystemClock
from core.wire.headers import headers
from core.wire.signature import Signer, verifier
from delivery.listen import RequestReport, listen, listen_app, print_request

ROOT = Path(__file__).parents[2]
SECRET = "S3cret-key-0123456789"
AT = "2026-11-23T10:00:00Z"
STARTED = 1795428000000
BODY = b'{"event":{"id":1002,"trigger":"file.updated"},"payload":{"title":"\\u00E9"},"webhook":{"id":7,"retryCount":2}}'
DELIVERY = bytes(range(16))


class At:
    """A clock that stands."""

    def __init__(self, now_ms):
        self._now_ms = now_ms

    def now_ms(self):
        return self._now_ms


@contextlib.asynccontextmanager
async def receiving(secrets=(), fail_first=0, fail_status=500, **more):
    """A client for a running receiver, and the list of what it has reported."""
    reports = []
    runner = web.AppRunner(listen_app(secrets, fail_first, fail_status, reports.append, **more))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession(f"http://{host}:{port}") as client, asyncio.timeout(20):
            yield client, reports
    finally:
        await runner.cleanup()


def signed(secret=SECRET, body=BODY, delivery=DELIVERY, started_ms=STARTED):
    return dict(headers(delivery, 1002, AT, started_ms, body, Signer(secret)))


async def post(client, sent, body=BODY, path="/hook"):
    async with client.post(path, data=body, headers=sent) as answer:
        return answer.status


async def test_it_verifies_and_reports():
    """A signed request is answered 200, and reported with what it says and that both signatures hold."""
    async with receiving(["another-secret", SECRET]) as (client, reports):
        assert await post(client, signed(), path="/hook?a=1") == 200
    (report,) = reports
    assert (report.path, report.status, report.delivery) == ("/hook?a=1", 200, DELIVERY.hex())
    assert (report.event, report.trigger, report.retry) == (1002, "file.updated", 2)
    assert (report.docspace, report.standard) == ("verified", "verified")
    assert report.body == BODY.decode()
    assert dict(report.headers)["webhook-timestamp"] == "1795428000"


async def test_a_verifier_string_is_enough():
    """Who has only the string for verifiers can still verify: the one signature that is for it."""
    async with receiving([verifier(SECRET)]) as (client, reports):
        assert await post(client, signed()) == 200
    assert (reports[0].docspace, reports[0].standard) == ("wrong", "verified")


@pytest.mark.parametrize(
    ("sent", "body", "verdicts"),
    [
        (signed("wrong-secret"), BODY, ("wrong", "wrong")),
        (signed(), BODY.replace(b"7", b"8"), ("wrong", "wrong")),
        ({}, BODY, ("missing", "missing")),
        (signed() | {"webhook-id": "é", "x-docspace-signature-256": "é"}, BODY, ("wrong", "wrong")),
    ],
)
async def test_it_refuses_what_nobody_it_knows_signed(sent, body, verdicts):
    """With secrets, a request that none of them signed is answered 401, and reported as well."""
    async with receiving([SECRET], fail_first=1) as (client, reports):
        assert await post(client, sent, body) == 401
    assert (reports[0].status, reports[0].docspace, reports[0].standard) == (401, *verdicts)


@pytest.mark.parametrize(("now_ms", "verdict"), [(STARTED + 300_000, "verified"), (STARTED + 301_000, "stale")])
async def test_it_tells_an_old_request(now_ms, verdict):
    """By its clock it tells a timestamp that a verifier would refuse."""
    async with receiving([SECRET], clock=At(now_ms)) as (client, reports):
        assert await post(client, signed()) == 200
    assert (reports[0].docspace, reports[0].standard) == ("verified", verdict)


async def test_without_secrets_it_takes_anything():
    """Without secrets nothing is checked, and a body that is no delivery's is reported as it is."""
    async with receiving() as (client, reports):
        assert await post(client, {}, b'{"event": 5, "\xff') == 200
        assert await post(client, {}, b"[" * 100_000) == 200
        assert await post(client, {"webhook-id": "é"}, b"") == 200
    first, second, third = reports
    assert (first.event, first.trigger, first.retry, first.docspace) == (None, None, 0, "unchecked")
    assert first.body == '{"event": 5, "\ufffd'
    assert second.event is None
    assert third.delivery == "é"


async def test_it_fails_the_first_requests_of_each_delivery():
    """Every delivery fails as often as told, then is taken; others are counted apart."""
    async with receiving([SECRET], fail_first=2, fail_status=503) as (client, reports):
        other = signed(delivery=bytes(16))
        got = [await post(client, sent) for sent in (signed(), signed(), other, signed(), other, other, signed())]
    assert got == [503, 503, 503, 200, 503, 200, 200]
    assert [report.status for report in reports] == got


async def test_it_fails_only_where_told():
    """With a prefix, requests to other paths are taken at once."""
    async with receiving(fail_first=1, fail_prefix="/flaky") as (client, _):
        got = [await post(client, signed(), path=path) for path in ("/hook", "/flaky/a", "/flaky/a", "/hook")]
    assert got == [200, 500, 200, 200]


async def test_it_answers_a_probe():
    """HEAD is answered 200 on every path, and not reported; what is neither HEAD nor POST is not taken."""
    async with receiving([SECRET]) as (client, reports):
        async with client.head("/any/where") as answer:
            assert answer.status == 200
        async with client.get("/any/where") as answer:
            assert answer.status == 405
    assert reports == []


REPORT = RequestReport(
    path="/hook",
    status=503,
    delivery="0001",
    event=1002,
    trigger="file.updated",
    retry=2,
    docspace="verified",
    standard="stale",
    headers=(),
    body=BODY.decode(),
)


def printed(**changed):
    out = io.StringIO()
    fields = {field: getattr(REPORT, field) for field in REPORT.__struct_fields__}
    print_request(Console(file=out, width=60), RequestReport(**fields | changed))
    return out.getvalue()


def test_a_request_is_printed_for_people():
    """One line says what came and how it was answered, one what its signatures are worth, then comes the body."""
    lines = printed().splitlines()
    assert lines[0] == "POST /hook file.updated event 1002 retry 2 → 503"
    assert lines[1] == "  webhook-id 0001  x-docspace-signature-256 verified  webhook-signature stale"
    assert json.loads("\n".join(lines[2:])) == json.loads(BODY)
    assert '"title": "é"' in printed()
    assert printed(body="no json").endswith("\nno json\n")
    assert "no event of DocSpace's form" in printed(trigger=None, event=None)


def test_nothing_that_came_can_steer_the_terminal():
    """Control characters and markup of a request are shown, not obeyed."""
    evil = "\x1b[2J\x9b1m\x07\u202e[red]x[/red]"
    for text in (
        printed(body=evil),
        printed(body=json.dumps({"a": evil})),
        printed(trigger=evil, delivery=evil, path=evil),
    ):
        assert "[red]x[/red]" in text
        assert all(char.isprintable() or char == "\n" for char in text)


async def started(*arguments, stdin=None):
    """The command as a process, and the address it says it listens on."""
    command = [sys.executable, "-c", "from delivery.listen import listen; listen()", "--port", "0", *arguments]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)
    process.stdin.write(stdin or b"")
    process.stdin.close()
    line = await process.stderr.readline()
    assert line.startswith(b"listening on http://127.0.0.1:"), line + await process.stderr.read()
    return process, line.split()[-1].decode()


async def test_the_command_tells_programs():
    """With --json every request is one line, and after --count requests it ends by itself; the last one is answered."""
    async with asyncio.timeout(30):
        process, url = await started(
            "--json", "--secret", "-", "--fail", "1", "--status", "429", "--count", "2", stdin=SECRET.encode() + b"\n"
        )
        sent = signed(started_ms=SystemClock().now_ms())
        async with aiohttp.ClientSession(url) as client:
            assert [await post(client, sent), await post(client, sent)] == [429, 200]
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    first, second = map(json.loads, out.splitlines())
    assert (first["status"], second["status"]) == (429, 200)
    assert (second["docspace"], second["standard"], second["event"]) == ("verified", "verified", 1002)
    assert second["body"].encode() == BODY


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_ends_when_told(number):
    """It shows requests to people, and a signal ends it cleanly although a client keeps its connection."""
    async with asyncio.timeout(30):
        process, url = await started("--secret", "-", stdin=SECRET.encode() + b"\n")
        async with aiohttp.ClientSession(url) as client:
            assert await post(client, signed(started_ms=SystemClock().now_ms())) == 200
            os.kill(process.pid, number)
            out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.decode().startswith("POST /hook file.updated event 1002 retry 2 → 200\n")


async def test_the_command_ends_when_nobody_reads_it():
    """When its output is closed, as by `head`, it answers what came and ends."""
    async with asyncio.timeout(30):
        process, url = await started("--json")
        process._transport.get_pipe_transport(1).close()
        async with aiohttp.ClientSession(url) as client:
            assert await post(client, signed()) == 200
        await process.wait()


@pytest.mark.parametrize(
    ("said", "stdin", "says"),
    [
        (("-",), "\n", "a secret is empty"),
        (("hunter22",), "", "never an argument"),
        (("-", ""), "one\n", "never an arg"),
    ],
)
def test_a_secret_is_read_and_never_an_argument(said, stdin, says):
    """Arguments are for everybody on the machine to read, so `listen` takes them as `webhooks create` does."""
    words = [word for one in said for word in ("--secret", one)]
    result = CliRunner().invoke(listen, words, input=stdin)
    assert (result.exit_code, says in result.output, "hunter22" in result.output) == (2, True, False)


async def test_a_taken_port_is_told_in_a_line():
    """When it cannot listen it says so and ends with 1."""
    async with receiving() as (client, _):
        command = [sys.executable, "-c", "from delivery.listen import listen; listen()"]
        process = await asyncio.create_subprocess_exec(
            *command, "--port", str(client._base_url.port), cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        _, err = await process.communicate()
    assert process.returncode == 1
    assert err.startswith(b"Error: cannot listen on 127.0.0.1:")
    assert err.count(b"\n") == 1
