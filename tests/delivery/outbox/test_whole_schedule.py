"""The whole life of deliveries, played through the real outbox and workers on an invented clock."""

from __future__ import annotations

import time

from core.clock import from_iso
from core.model import webhook
from core.model.delivery import AttemptFailed, Cancelled, Delivered
from delivery.schedule import SCHEDULE_S
from delivery.sender import Answered, Unreached
from tests.delivery.outbox.stage import OK, Stage

DAY_S = 24 * 3600


def failing(status: int, *headers: tuple[str, str]) -> Answered:
    return Answered(status, headers, b"", False)


async def test_the_whole_schedule_is_played(stage: Stage) -> None:
    """Retries come in time, Retry-After is never early, 410 and three days of failure disable: all in two seconds."""
    started = time.perf_counter()
    await _plays_the_schedule(stage)
    await _waits_as_asked(stage)
    await _disables_when_gone(stage)
    await _disables_after_three_days(stage)
    assert time.perf_counter() - started < 2


async def _plays_the_schedule(stage: Stage) -> None:
    _, url = await stage.webhook("always-500", "file.created")
    stage.sender.answer = lambda _url, _body: failing(500)
    begun = stage.clock.now_ms()
    accepted = await stage.event("schedule", "file.created")
    await stage.wait(DAY_S)
    expected, at_ms = [begun], begun
    for wait_s in SCHEDULE_S:
        at_ms += wait_s * 1000
        expected.append(at_ms)
    assert stage.sender.times(url) == expected
    story = stage.story(accepted.position + 1)
    assert [type(event) for event in story[1:]] == [AttemptFailed] * 8
    assert [event.next for event in story[1:]] == [*expected[1:], None]
    last = stage.sender.requests[-1][2]["webhook"]
    assert last["retryCount"] == 7
    assert last["lastFailureContent"] == "Response status code does not indicate success: 500 (Internal Server Error)."
    assert from_iso(last["lastFailureOn"]) == expected[-2] // 1000 * 1000
    assert from_iso(last["retryOn"]) == expected[-1] // 1000 * 1000


async def _waits_as_asked(stage: Stage) -> None:
    _, url = await stage.webhook("asks-for-time", "file.copied")
    answers = iter(
        [
            failing(503, ("Retry-After", "120")),
            failing(
                429,
                ("Date", "Tue, 24 Nov 2026 08:00:00 GMT"),
                ("Retry-After", "Tue, 24 Nov 2026 10:00:00 GMT"),
            ),
            failing(503, ("Retry-After", "1000000")),
            OK,
            OK,
        ]
    )
    stage.sender.answer = lambda _url, body: next(answers) if body["payload"]["title"] == "asks" else OK
    begun = stage.clock.now_ms()
    first = await stage.event("asks", "file.copied")
    await stage.wait(30)
    second = await stage.event("meanwhile", "file.copied")
    await stage.wait(3 * DAY_S)
    day_ms = DAY_S * 1000
    expected = [begun, begun + 120_000, begun + 120_000 + 7_200_000, begun + 120_000 + 7_200_000 + day_ms]
    by_title = {"asks": [], "meanwhile": []}
    for at_ms, to, body in stage.sender.requests:
        if to == url:
            by_title[body["payload"]["title"]].append(at_ms)
    assert by_title["asks"] == expected
    # The other event of the same webhook was held back with it: it went out when the first hold ended, not before.
    assert by_title["meanwhile"] == [expected[1]]
    story = stage.story(first.position + 1)
    assert [(event.retry_after, event.capped) for event in story[1:4]] == [
        (120_000, False),
        (7_200_000, False),
        (day_ms, True),
    ]
    assert isinstance(story[4], Delivered)
    assert isinstance(stage.story(second.position + 1)[1], Delivered)


async def _disables_when_gone(stage: Stage) -> None:
    number, url = await stage.webhook("gone", "file.moved")
    stage.sender.answer = lambda _url, body: (
        failing(410) if body["payload"]["title"] == "gone" else failing(503, ("Retry-After", "600"))
    )
    waiting = await stage.event("waits", "file.moved")
    await stage.wait(600)
    gone = await stage.event("gone", "file.moved")
    await stage.wait(DAY_S)
    known = stage.service.office.directory.by_number[number]
    assert not known.enabled
    assert known.disabled_reason == "gone"
    assert isinstance(stage.story(gone.position + 1)[-1], Cancelled)
    assert isinstance(stage.story(waiting.position + 1)[-1], Cancelled)
    made = len(stage.sender.times(url))
    unheard = await stage.event("after", "file.moved")
    await stage.wait(DAY_S)
    assert (unheard.deliveries, len(stage.sender.times(url))) == (0, made)


async def _disables_after_three_days(stage: Stage) -> None:
    number, _ = await stage.webhook("down", "file.trashed")
    stage.sender.answer = lambda _url, _body: OK
    await stage.event("good", "file.trashed")
    await stage.wait(30 * DAY_S)
    stage.sender.answer = lambda _url, _body: Unreached("cannot connect: connection refused")
    down_since = stage.clock.now_ms()
    directory = stage.service.office.directory
    ended = []
    for day in range(5):
        accepted = await stage.event(f"down {day}", "file.trashed")
        await stage.wait(DAY_S)
        if accepted.deliveries:
            story = stage.story(accepted.position + 1)
            ended.append((story[-1].attempt.started, directory.by_number[number].enabled))
    # Idle for a month does not count; ended failed on the first three days does not disable, on the fourth it does.
    assert [enabled for _, enabled in ended] == [True, True, True, False]
    assert directory.by_number[number].disabled_reason == "failing"
    story = stage.service.office.reader.stream(directory.by_number[number].id)
    disabled = story[-1].event
    assert isinstance(disabled, webhook.Disabled)
    cause = stage.service.office.reader.at([disabled.cause])[disabled.cause].event
    assert isinstance(cause, AttemptFailed)
    assert cause.next is None
    assert cause.at - down_since > 3 * DAY_S * 1000
