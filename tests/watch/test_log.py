"""What `serve` says: one object a line, by which one delivery can be followed, and never anybody's secret."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
from aiohttp import ClientSession, web

from core.limits import LOG_FACT_CHARS_MAX, LOG_OFTEN_MAX, LOG_OFTEN_S
from core.log import Log, LogHandler, set_up
from core.log_lines import LINES
from tests.end_to_end.place import ALLOW, Place, Serving, a_portal_event

SECRET = "S3cret-of-mine-0123456789"


class Flaky:
    """A receiver that turns the first request down."""

    def __init__(self) -> None:
        self.requests = 0

    async def hear(self, request: web.Request) -> web.Response:
        await request.read()
        self.requests += 1
        return web.Response(status=200 if self.requests > 1 else 500, text="thank you")


@pytest.fixture(name="flaky")
async def _flaky():
    app = web.Application()
    app.router.add_post("/{path:.*}", Flaky().hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hidden-path?key=hidden-query"
    await runner.cleanup()


async def loud(place: Place, *words: str) -> tuple[Serving, asyncio.Task[bytes]]:
    """A `serve`, and all that it says in its log until it ends: a pipe that nobody reads from would stop it."""
    serving = await place.serve(*ALLOW, *words)
    return serving, asyncio.create_task(serving.process.stderr.read())


async def a_delivery(place: Place, serving: Serving, url: str, state: str = "delivered") -> tuple[int, list[str]]:
    """A delivery, with some nonsense around it: its number, and all that was secret."""
    token = await place.token()
    made = await place.webhook(url, secret=SECRET)
    own = await place.webhook(url, triggers=("user.deleted",))
    async with ClientSession(serving.url) as session:
        for said in (token, f"{token}x", "hlt_00.nonsense"):
            headers = {"Authorization": f"Bearer {said}"}
            events = [a_portal_event("followed"), {"id": "none", "data": "hidden-data"}]
            async with session.post("/api/ledger/events?token=hidden-param", json=events, headers=headers) as answer:
                told = await answer.json()
                if said == token:
                    number = told["events"][0]["position"] + 1
    await place.until(number, state)
    key = (place.data / "master.key").read_text(encoding="ascii").strip()
    secrets = [token, token.partition(".")[2], SECRET, made.verifier, own.verifier, own.secret, key]
    return number, [*secrets, "hidden-path", "hidden-query", "hidden-param", "hidden-data", "naïve", "nonsense"]


@pytest.fixture(name="lines")
def _lines() -> Iterator[io.StringIO]:
    """The log of this process, set up as `serve` does, until the test has ended."""
    root, ours = logging.getLogger(), logging.getLogger("hookledger")
    before = root.handlers[:], root.level, ours.level
    yield io.StringIO()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


async def test_each_line_is_an_object_and_leads_to_the_next(place, flaky):
    """One delivery, found by the portal's id and its own: accepted, made, failed, delivered, in this order."""
    serving, log = await loud(place, "--log-format", "json", "--log-level", "debug")
    number, _ = await a_delivery(place, serving, flaky)
    await serving.stop()
    said = [json.loads(line) for line in (await log).decode().splitlines()]
    assert all({"at", "level", "event", "text"} <= set(one) for one in said)
    assert {one["event"] for one in said} <= set(LINES)
    by_portal = [one for one in said if one.get("portal_event_id") == "followed"]
    assert [one["event"] for one in by_portal] == [
        "event.accepted", "delivery.created", "attempt.failed", "attempt.delivered"
    ]  # fmt: skip
    by_number = [one for one in said if one.get("delivery") == number]
    assert by_number == by_portal[1:]
    assert len({one["delivery_id"] for one in by_number}) == 1
    failed, delivered = by_number[1:]
    assert (failed["attempt"], failed["status"], failed["level"]) == (1, 500, "info")
    assert (delivered["attempt"], delivered["status"], delivered["level"]) == (2, 200, "debug")
    assert failed["webhook"] == delivered["webhook"]
    assert failed["took_ms"] >= 0
    assert failed["text"].endswith(f" failed, next {failed['next']}: {failed['reason']}")


async def test_after_410_no_attempt_is_promised(place, receiver):
    """It says what the receiver answered, that the webhook is disabled for it, and what becomes of the delivery."""
    receiver.status = 410
    serving, log = await loud(place)
    number, _ = await a_delivery(place, serving, receiver.url, "cancelled")
    await serving.stop()
    said = (await log).decode()
    assert f"attempt.gone: attempt 1 of delivery {number} " in said
    assert "is disabled: its receiver answered 410 [" in said
    assert " is cancelled: its webhook was disabled [" in said
    assert (", next " in said, "next=" in said) == (False, False)


@pytest.mark.parametrize("form", ["console", "json"])
async def test_no_secret_is_ever_said(place, flaky, form):
    """Not a token, a secret, a key, a URL or a payload: neither on standard output nor in the loudest log."""
    serving, log = await loud(place, "--log-format", form, "--log-level", "debug")
    _, secrets = await a_delivery(place, serving, flaky)
    await serving.stop()
    said = (await log).decode() + "\n".join(serving.said)
    assert "attempt.delivered" in said
    assert [secret for secret in secrets if secret in said or json.dumps(secret)[1:-1] in said] == []


async def test_without_debug_nothing_is_said_of_what_goes_well(place, receiver):
    """At the default level an accepted event and its delivery leave no line."""
    serving, log = await loud(place)
    _, _ = await a_delivery(place, serving, receiver.url)
    await serving.stop()
    said = (await log).decode()
    assert [name for name in ("event.accepted", "delivery.created", "attempt.delivered") if name in said] == []
    assert "webhook.created: webhook" in said


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("got whsec_c2VjcmV0c2VjcmV0", "got whsec_[redacted]"),
        ("token hlt_0123ab.Zm9v-_bar is", "token hlt_0123ab.[redacted] is"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
        ("https://user:word@host/path?key=1#x and", "https://[redacted]@host/path?[redacted] and"),
        ("a\nb\x1b[2Jc\x9bd\u202e", "a\\nb\\x1b[2Jc\\x9bd\\u202e"),
    ],
)
def test_foreign_words_are_made_harmless(lines, said, kept):
    """Whatever an error brings along: no secret of ours, no URL's query, no control character."""
    set_up(lines, "console", "info")
    Log("test").say("reaction.waits", error=said)
    assert kept in lines.getvalue()
    assert lines.getvalue().count("\n") == 1
    lines.truncate(0)
    set_up(lines, "json", "info")
    Log("test").say("reaction.waits", error=said)
    assert json.loads(lines.getvalue().lstrip("\0"))["error"] == kept


def test_a_line_has_an_end(lines):
    """However long a fact is, a line holds so much of it, and says that there was more."""
    for form in ("json", "console"):
        set_up(lines, form, "info")
        Log("test").say("reaction.waits", error="x" * 10 * LOG_FACT_CHARS_MAX)
    as_json, as_text = lines.getvalue().splitlines()
    assert json.loads(as_json)["error"] == "x" * LOG_FACT_CHARS_MAX + "…"
    assert len(as_text) < LOG_FACT_CHARS_MAX + 100


def test_a_fault_of_ours_brings_its_traceback(lines):
    """In one object, in JSON; below its line, on a console; without secrets in either."""
    for form in ("json", "console"):
        set_up(lines, form, "info")
        try:
            int("whsec_c2VjcmV0")
        except ValueError as error:
            Log("test").say("view.bug", error, view="history")
    as_json, *as_text = lines.getvalue().splitlines()
    assert "Traceback" in json.loads(as_json)["traceback"]
    assert as_text[-1] == "    ValueError: invalid literal for int() with base 10: 'whsec_[redacted]"
    assert "c2VjcmV0" not in lines.getvalue()


def record(line: str, at_s: float) -> logging.LogRecord:
    made = logging.LogRecord("hookledger.test", logging.INFO, "", 0, line, None, None)
    made.__dict__.update(line=line, facts={}, created=at_s)
    return made


def test_what_comes_too_often_is_held_back_and_counted():
    """Of one name so many lines in so many seconds; then how many more there were; other names go on."""
    out = io.StringIO()
    handler = LogHandler(out)
    for number in range(LOG_OFTEN_MAX + 30):
        handler.emit(record("attempt.failed", 100 + number / 100))
    handler.emit(record("webhook.enabled", 101))
    handler.emit(record("attempt.failed", 100 + LOG_OFTEN_S))
    said = out.getvalue().splitlines()
    assert said == [
        *["attempt.failed"] * LOG_OFTEN_MAX,
        "webhook.enabled",
        "and 30 more lines attempt.failed",
        "attempt.failed",
    ]
    assert handler.written["info"] == LOG_OFTEN_MAX + 32
    for _ in range(LOG_OFTEN_MAX):
        handler.emit(record("attempt.failed", 100 + LOG_OFTEN_S))
    handler.close()
    assert out.getvalue().splitlines()[-1] == "and 1 more lines attempt.failed"


def test_a_clock_that_jumps_back_silences_nobody():
    """Lines are held back by the time they carry; if that goes back, they are counted anew."""
    out = io.StringIO()
    handler = LogHandler(out)
    for _ in range(LOG_OFTEN_MAX + 1):
        handler.emit(record("attempt.failed", 1_000_000))
    handler.emit(record("attempt.failed", 5))
    assert out.getvalue().splitlines()[-2:] == ["and 1 more lines attempt.failed", "attempt.failed"]
