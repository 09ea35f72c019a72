"""A carrier whose term is over finishes what it has begun, and nothing else."""

from __future__ import annotations

import pytest

from core.model.delivery import Cancelled, Delivered
from tests.delivery.outbox.turned import GOOD, Turned, fails


async def test_what_came_of_its_requests_is_recorded_however_long_that_takes(
    turned: Turned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that takes nothing when the last request ends is offered the outcome until it does."""
    await turned.webhook("any")
    turned.reply = lambda _request: None
    number = await turned.event("a")
    await turned.still()
    carrier, appender = turned.service.carrier, turned.service.office.appender
    carrier.retire()
    winding_down = turned.start(carrier.wind_down())
    with monkeypatch.context() as patch:
        patch.setattr(appender, "append", fails)
        patch.setattr(appender, "probe", fails)
        turned.requests[0].answer(GOOD)
        await turned.wait(60)
        assert (turned.story(number), winding_down.done()) == ([], False)
    await turned.wait(2)
    assert [type(event) for event in turned.story(number)] == [Delivered]
    await winding_down
    assert carrier.workers.unrecorded == 0


async def test_nothing_new_is_begun_or_cancelled(turned: Turned) -> None:
    """What is due waits for whoever leads now, who also decides what is cancelled."""
    webhook = await turned.webhook("any")
    turned.reply = lambda _request: None
    await turned.event("a")
    await turned.still()
    turned.service.carrier.retire()
    winding_down = turned.start(turned.service.carrier.wind_down())
    number = await turned.event("b")
    await turned.wait(30)
    assert [request.title for request in turned.requests] == ["a"]
    await turned.switch(webhook, enabled=False)
    await turned.wait(30)
    assert turned.story(number) == []
    turned.requests[0].answer(GOOD)
    await turned.still()
    await winding_down
    assert not any(isinstance(recorded.event, Cancelled) for recorded in turned.recorded())
