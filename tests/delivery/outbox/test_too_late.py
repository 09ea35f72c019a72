"""What was handed out so long ago that it might outlast its mark is not begun: soon another process may begin it."""

from __future__ import annotations

import pytest

from core.limits import MARK_S, TOTAL_S
from core.model.delivery import Delivered
from delivery.carrier import WITHIN_MS
from tests.delivery.outbox.turned import Turned


@pytest.mark.parametrize(("late_ms", "given_back"), [(0, 0), (1, 1)])
async def test_what_could_not_end_before_its_mark_is_not_begun(turned: Turned, late_ms: int, given_back: int) -> None:
    """An attempt may take TOTAL_S, and nobody else begins it for MARK_S. Whoever stood still in between gives the row
    back: it is handed out anew, as the same attempt."""
    within_s = MARK_S - TOTAL_S
    assert within_s * 1_000 == WITHIN_MS
    carrier = turned.service.carrier
    carrier.workers._within_ms = WITHIN_MS
    set_aside, returned = carrier.dispatch.on_set_aside, []
    carrier.dispatch.on_set_aside = lambda row: (returned.append(row.number), set_aside(row))
    await turned.webhook("any")
    # The worker asks for the webhook's secret first, and here that takes long.
    turned.jobs["reader"].is_stopped = True
    number = await turned.event("a")
    await turned.wait(within_s + late_ms / 1_000)
    assert (turned.requests, returned) == ([], [])
    turned.jobs.free()
    await turned.still()
    assert returned == [number] * given_back
    assert [(request.number, request.attempt) for request in turned.requests] == [(number, 1)]
    assert [type(event) for event in turned.story(number)] == [Delivered]
