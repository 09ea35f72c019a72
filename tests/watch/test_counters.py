"""The counters of `/metrics` are what the ledger says happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.model.topics import Codec
from core.web import app
from delivery.sender import Answered, Unreached
from tests.delivery.outbox.stage import LIMIT_S, OK, Stage
from tests.watch.readings import Counted, Scrape, scrape

NO_ANSWER = {
    "dns": "DNS: Name or service not known",
    "tls": "certificate: self-signed certificate",
    "connect": "cannot connect: connection refused",
    "refused": "address 10.0.0.1 is not allowed: it is private",
    "timeout": "the target did not answer within 30 seconds",
    "broken": "the target closed the connection without an answer",
    "ours": "its secret was forgotten",
}


@pytest.fixture(name="stage")
async def _stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path / "data")
    await stage.service.start()
    yield stage
    await stage.service.stop()


def status(code: int) -> Answered:
    return Answered(code, (), b"", False)


async def scraped(stage: Stage) -> Scrape:
    application = app.build(stage.service.office, stage.service.readiness)
    async with TestServer(application, host="127.0.0.1") as server:
        return await scrape(str(server.make_url("/")))


def counted(stage: Stage) -> Counted:
    recorder = SqliteRecorder(stage.data / "ledger.sqlite")
    try:
        return Counted(Reader(recorder, Codec()).after(0, 100_000))
    finally:
        recorder.close()


async def a_mixed_run(stage: Stage) -> None:
    """Webhooks that take it, fail for a while, fail for ever, say 410, or are never reached; some disabled on the way;
    events that nobody waits for, that no plugin knows, that are known, and that are none."""
    answers = {"good": OK, "never": status(500), "gone": status(410), "held": status(503), "moved": status(302)}
    answers |= {kind: Unreached(reason) for kind, reason in NO_ANSWER.items()}
    failing = {"later": 2}

    def answer(url: str, _: dict) -> Answered | Unreached:
        name = url.rpartition("/")[2]
        if name == "later":
            failing["later"] -= 1
            return OK if failing["later"] < 0 else status(404)
        return answers[name]

    stage.sender.answer = answer
    for name in (*answers, "later"):
        await stage.webhook(name, "file.updated")
    for number in range(8):
        await stage.event(f"e{number}")
    await stage.event("nobody", "file.deleted")
    await stage.event("kite", "kite.flown")
    await stage.event("e3")
    for _ in range(4):
        await stage.wait(5 * 3_600)
    await stage.event("late")
    await stage.wait(60)


async def test_counters_are_what_the_ledger_says(stage):
    """After a mixed run every counter is the number of its recorded events."""
    await a_mixed_run(stage)
    shown, truth = await scraped(stage), counted(stage)
    assert truth.accepted == shown.by_labels("hookledger_events_accepted_total") == {("http",): 11}
    assert shown.by_labels("hookledger_events_duplicate_total") == {("http",): 1}
    assert truth.unmatched == shown("hookledger_events_unmatched_total") == 2
    assert truth.unknown == shown("hookledger_events_unknown_total") == 1
    assert truth.created == shown("hookledger_deliveries_created_total", cause="event") > 100
    assert truth.ended == shown.by_labels("hookledger_deliveries_ended_total")
    assert set(truth.ended) == {("delivered",), ("failed",), ("cancelled",)}
    assert truth.open == shown("hookledger_deliveries_open") > 0
    assert truth.retries == shown("hookledger_retries_scheduled_total") > 0
    assert shown.by_labels("hookledger_webhooks_disabled_total") == {("gone",): 1}
    assert shown.by_labels("hookledger_webhooks") == {("enabled",): 12, ("disabled",): 1}


async def test_attempts_are_counted_by_what_came_back(stage):
    """Statuses by their hundred, and each reason why there was no answer by its class."""
    await a_mixed_run(stage)
    shown, truth = await scraped(stage), counted(stage)
    attempts = shown.by_labels("hookledger_attempts_total")
    unanswered = {answer: count for (answer, _), count in attempts.items() if answer in NO_ANSWER}
    assert set(unanswered) == set(NO_ANSWER)
    assert sum(unanswered.values()) == truth.attempts.pop(("none", "failed"))
    assert {key: count for key, count in attempts.items() if key[0] not in NO_ANSWER} == truth.attempts
    assert set(truth.attempts) >= {("2xx", "delivered"), ("3xx", "failed"), ("4xx", "failed"), ("5xx", "failed")}


async def test_histograms_hold_each_delivery_once(stage):
    """How long attempts and deliveries took: as many as there were, and as long as the ledger says."""
    await a_mixed_run(stage)
    shown, truth = await scraped(stage), counted(stage)
    assert shown("hookledger_delivery_seconds_count") == truth.ended[("delivered",)]
    assert shown("hookledger_delivery_seconds_sum") == pytest.approx(truth.lasted_s)
    assert truth.lasted_s > 0
    assert shown("hookledger_attempt_seconds_count") == sum(truth.attempts.values())
    assert shown("hookledger_attempt_seconds_sum") == pytest.approx(truth.took_s)
    assert shown("hookledger_commit_events_sum") == shown("hookledger_ledger_position")


async def test_open_deliveries_are_known_after_a_restart(stage):
    """What the process before left open is counted, and goes when it ends."""
    await a_mixed_run(stage)
    before = (await scraped(stage))("hookledger_deliveries_open")
    await stage.restart()
    shown = await scraped(stage)
    assert shown("hookledger_deliveries_open") == before == counted(stage).open
    stage.sender.answer = lambda _url, _body: OK
    await stage.wait(24 * 3_600)
    assert (await scraped(stage))("hookledger_deliveries_open") == counted(stage).open == 0


async def test_gauges_say_what_is_under_way(stage):
    """A receiver that hangs: its requests are under way, grow old, shrink its window; the rest waits."""
    await stage.webhook("hangs", "file.updated")
    go_on = asyncio.Event()

    async def hang() -> Answered:
        await go_on.wait()
        return OK

    stage.sender.answer = lambda _url, _body: hang()
    for number in range(10):
        await stage.event(f"e{number}")
    await stage.quiet()
    shown = await scraped(stage)
    assert shown.by_labels("hookledger_deliveries_under_way") == {("young",): 4}
    assert (shown("hookledger_deliveries_ready"), shown("hookledger_window_requests")) == (6, 4)
    stage.clock.turn_to(stage.clock.now_ms() + 900)
    assert (await scraped(stage))("hookledger_deliveries_overdue_seconds") == 0.9
    await stage.wait(5)
    shown = await scraped(stage)
    assert shown.by_labels("hookledger_deliveries_under_way") == {("old",): 4}
    assert shown("hookledger_window_requests") == 1
    assert shown("hookledger_lanes", state="hanging") == 1
    assert shown("hookledger_deliveries_overdue_seconds") == 0
    assert shown("hookledger_deliveries_open") == 10
    go_on.set()
    await stage.wait(5)
    shown = await scraped(stage)
    assert shown.by_labels("hookledger_deliveries_under_way") == {}
    assert shown("hookledger_deliveries_open") == 0


async def test_a_view_that_does_not_move_shows_its_lag(stage):
    """How far a view's rows are behind: in positions, and how long the oldest of them has waited."""
    await stage.webhook("good", "file.updated")
    await stage.quiet()
    assert (await scraped(stage)).by_labels("hookledger_view_lag_positions") == {}
    writer = stage.service.office.writer
    all_recorded, last = asyncio.Event(), writer.head + len(("event", "delivery", "outcome"))
    writer.follow(lambda segment: all_recorded.set() if segment.last == last else None)
    await stage.event("e1")
    await asyncio.wait_for(all_recorded.wait(), LIMIT_S)
    stage.clock.turn_to(stage.clock.now_ms() + 200)
    shown = await scraped(stage)
    assert shown("hookledger_view_lag_positions", view="history") == 3
    assert shown("hookledger_view_lag_seconds", view="history") == pytest.approx(0.2)
    await stage.wait(1)
    assert (await scraped(stage)).by_labels("hookledger_view_lag_seconds") == {}
