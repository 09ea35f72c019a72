"""Redeliveries of what a selection means: each delivery once, however often it is said, wherever it breaks off."""

from __future__ import annotations

import pytest

from core.errors import InvalidInputError
from core.operations.redelivery import REDELIVER, Redeliver
from core.operations.selection import Selection
from tests.delivery.outbox.again import failed, of_selection
from tests.delivery.outbox.turned import BAD, GOOD


async def test_a_selection_means_each_delivery_once(turned):
    """Typed again, it means what was not redelivered yet, and of the rest the newest redelivery if that failed too."""
    webhook, numbers = await failed(turned, 4)
    first = await of_selection(turned, webhook=webhook, states=("failed",), limit=3)
    assert [one.of for one in first.told] == numbers[:3]
    assert first.looked_to == numbers[2]
    turned.reply = lambda request: BAD if request.title == "e1" else GOOD
    second = await of_selection(turned, webhook=webhook, states=("failed",), before=first.before)
    assert [one.of for one in second.told] == numbers[3:]
    await turned.wait(1)
    third = await of_selection(turned, webhook=webhook, states=("failed",), before=first.before)
    assert third.told == []
    fourth = await of_selection(turned, webhook=webhook, states=("failed",))
    assert [one.of for one in fourth.told] == [first.told[1].number]
    turned.reply = lambda request: GOOD
    await turned.wait(1)
    assert (await of_selection(turned, webhook=webhook, states=("failed",))).told == []
    titles = [request.title for request in turned.requests]
    assert titles == ["e0", "e1", "e2", "e3", "e0", "e1", "e2", "e3", "e1"]


async def test_a_selection_leaves_out_what_is_still_on_its_way(turned):
    """What waits for an attempt is not sent twice, unless the selection says so."""
    webhook = await turned.webhook("mine")
    turned.reply = lambda request: BAD if request.title == "retried" else GOOD
    on_its_way, done = [await turned.event(title) for title in ("retried", "done")]
    await turned.still()
    assert [one.of for one in (await of_selection(turned, webhook=webhook)).told] == [done]
    asked = await of_selection(turned, webhook=webhook, states=("retrying",))
    assert [one.of for one in asked.told] == [on_its_way]


async def test_what_a_selection_makes_is_not_meant_by_it(turned, monkeypatch):
    """However often it goes on, a selection without an end in time means only what was there at its beginning."""
    webhook, numbers = await failed(turned, 5)
    turned.reply = lambda request: GOOD
    seen, answer = [], await of_selection(turned, webhook=webhook, limit=2)
    while answer.looked_to is not None:
        seen += [one.of for one in answer.told]
        await turned.wait(1)
        answer = await of_selection(turned, webhook=webhook, limit=2, after=answer.looked_to, before=answer.before)
    assert seen + [one.of for one in answer.told] == numbers


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"ids": (1,), "selection": Selection()},
        {"selection": Selection(), "limit": 0},
        {"ids": tuple(range(1, 10_002))},
        {"selection": Selection(), "limit": 10_001},
    ],
)
async def test_a_question_that_says_nothing_or_too_much_is_refused(turned, said):
    """Numbers or a selection, one of them, and only so many at a time."""
    with pytest.raises(InvalidInputError):
        await turned.finish(REDELIVER.run(turned.service.office, Redeliver(**said)))
