"""Whatever happens to the service, and in whatever order: what was accepted is delivered, or rightly not."""

from __future__ import annotations

import asyncio
import logging

import pytest

from core.model import delivery, webhook
from tests.delivery.outbox.plain_fold import PlainFold, stories
from tests.delivery.outbox.world import World

SLACK_MS = 2_500
"""The views write every quarter of a second, and try again after a second."""


@pytest.mark.parametrize("seed", range(48))
async def test_a_life_drawn_by_lot(tmp_path, monkeypatch, caplog, seed):
    """Events, moods, switches, faults, stops, kills, clocks that are set: nothing is lost, doubled or forgotten."""
    async with asyncio.timeout(30):
        world = World(tmp_path / "data", monkeypatch, seed)
        await lived(world)
    assert (world.faults, world.broken) == ([], [])
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.CRITICAL] == []


async def lived(world: World) -> None:
    await world.begin_all()
    for _ in range(world.random.choice([40, 120, 200])):
        await world.step()
    healed_ms = await world.heal()
    waiting = PlainFold(world.recorded()).rows
    begun = len(world.requests)
    await world.run_out()
    check_stories(world)
    check_requests(world)
    if not world.sets_clocks:
        check_promptness(world, waiting, healed_ms, begun)
    check_switches(world, healed_ms)
    await check_tables(world)
    check_memory(world)
    await world.stop()


def check_stories(world: World) -> None:
    """What was acknowledged is there; every delivery has one end, by attempts without a gap, none of them early."""
    recorded = world.recorded()
    assert {accepted.position for accepted in world.accepted} <= {event.position for event in recorded}
    again = [event for event in recorded if isinstance(event.event, delivery.Created) and event.event.cause is not None]
    assert set(world.redelivered) <= {event.position for event in again}
    told = stories(recorded)
    endless = {story.number: story.due for story in told.values() if story.end is None}
    assert endless == {}


def check_requests(world: World) -> None:
    """One request for each attempt, but for those that were under way when the process ended."""
    seen: dict[tuple[int, int], int] = {}
    for request in world.requests:
        key = (request.number, request.attempt)
        assert seen.get(key) != request.life, f"attempt {key} was made twice"
        seen[key] = request.life


def check_promptness(world: World, waiting: dict[int, tuple], healed_ms: int, begun: int) -> None:
    """Once all is well, what is due goes out at once, and what is due later at its time."""
    known = world.service.office.directory.by_number
    first: dict[tuple[int, int], int] = {}
    for request in world.requests[begun:]:
        first.setdefault((request.number, request.attempt), request.at_ms)
    for number, (of, _, _, _, attempt, due, _, _) in waiting.items():
        if known[of].enabled and (number, attempt) in first:
            latest = max(due, healed_ms, world.held_until(of)) + SLACK_MS
            assert first[number, attempt] <= latest, f"{number} waited until {first[number, attempt]}, not {latest}"


def check_switches(world: World, healed_ms: int) -> None:
    """Only what waits for a disabled webhook is cancelled, and that soon; what asks for disabling disables."""
    enabled: dict[int, bool] = {}
    numbers: dict[bytes, int] = {}
    for position, stream, _, event in world.recorded():
        match event:
            case webhook.Created():
                numbers[stream] = position
                enabled[position] = event.enabled
            case webhook.Enabled() | webhook.Disabled() | webhook.Deleted():
                enabled[numbers[stream]] = isinstance(event, webhook.Enabled)
            case delivery.Cancelled():
                assert not enabled[event.webhook], f"{event.number} was cancelled, and its webhook is enabled"
                is_late = event.at > healed_ms + SLACK_MS and not world.sets_clocks
                assert not is_late, f"{event.number} was cancelled late"
    for number, (reason, cause) in PlainFold(world.recorded()).reactions.items():
        assert not enabled[number], f"webhook {number} is enabled in spite of {reason} at {cause}"


async def check_tables(world: World) -> None:
    """The rows on disk are what a plain fold of the ledger makes them."""
    office = world.service.office
    for follower in office.followers:
        await world.finish(follower.flush())
    fold = PlainFold(world.recorded())
    assert {row[0]: row[1:] for row in office.views.rows("SELECT * FROM outbox_1")} == fold.rows
    assert {row[0]: row[1:] for row in office.views.rows("SELECT * FROM outbox_webhooks_1")} == fold.lanes
    assert {row[0]: row[1:] for row in office.views.rows("SELECT * FROM reactions_1")} == fold.reactions


def check_memory(world: World) -> None:
    """Nothing is left in memory of what has ended."""
    outbox, dispatch, refill = (
        world.service.carrier.outbox,
        world.service.carrier.dispatch,
        world.service.carrier.refill,
    )
    assert (outbox.rows, outbox._inserts, outbox._moved, outbox._deleted) == ({}, {}, {}, {})
    assert (outbox._writing, outbox._passed, outbox.reactions) == (None, None, {})
    assert (dispatch._young, dispatch.old, dispatch.unrecorded, dispatch._places.suspects) == ({}, 0, 0, 0)
    assert (dispatch.ready_rows, dispatch.ready_bytes, dispatch._places.n_waiting) == (0, 0, 0)
    assert (refill._hungry, refill._starved, refill._task, refill._wakes) == ({}, {}, None, [])
    for lane in dispatch.lanes.values():
        assert (lane.marked, lane.waiting, len(lane.ready), lane.window.under_way) == (0, {}, 0, 0)
        assert (lane.refilling, lane.spilled and dispatch.is_enabled(lane)) == (False, False)
