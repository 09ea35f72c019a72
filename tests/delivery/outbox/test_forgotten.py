"""What was to be sent is forgotten before it could be: the delivery ends, and is in nobody's way."""

from __future__ import annotations

from core.limits import CANCEL_CHUNK
from core.model.delivery import Cancelled, Delivered
from tests.delivery.outbox.backlog import append_backlog
from tests.delivery.outbox.turned import BAD, Turned, fails


async def backlog(turned: Turned, count: int) -> tuple[int, list[int]]:
    """A webhook with deliveries in the ledger that are due, and the numbers of their portal events; nothing runs."""
    number = await turned.webhook("mine", "file.updated")
    await turned.stop()
    append_backlog(turned.data, [number], count, turned.clock.now_ms())
    turned.clock.turn_to(turned.clock.now_ms() + 1_000)
    turned.revive()
    rows = turned.service.office.recorder.rows("SELECT position FROM bodies ORDER BY position")
    return number, [position for (position,) in rows]


def forget(turned: Turned, position: int) -> None:
    turned.service.office.recorder.writing.execute("DELETE FROM bodies WHERE position=?", (position,))


def ends(turned: Turned) -> dict[int, object]:
    return {r.event.number: r.event for r in turned.recorded() if isinstance(r.event, Delivered | Cancelled)}


async def test_a_forgotten_delivery_ends_and_the_others_go_out(turned):
    """Deliveries of a forgotten event are cancelled, with that reason; those before and after it are delivered."""
    number, events = await backlog(turned, 3 * 100)
    forget(turned, events[1])
    await turned.finish(turned.service.start())
    await turned.wait(5)
    told = ends(turned)
    assert len(told) == 300
    cancelled = {of: event for of, event in told.items() if isinstance(event, Cancelled)}
    assert all(events[1] < of < events[2] for of in cancelled)
    assert {(event.webhook, event.reason) for event in cancelled.values()} == {(number, "forgotten")}
    assert (len(cancelled), len(turned.requests)) == (100, 200)
    assert turned.service.office.views.rows("SELECT * FROM outbox_1") == []
    lane = turned.service.carrier.dispatch.lanes[number]
    assert (lane.spilled, lane.refilling, lane.marked, lane.failing_since) == (False, False, 0, None)


async def test_more_than_one_chunk_is_forgotten(turned):
    """However many were forgotten, all of them end."""
    count = 2 * CANCEL_CHUNK + 100
    _, events = await backlog(turned, count)
    for position in events:
        forget(turned, position)
    await turned.finish(turned.service.start())
    await turned.wait(5)
    assert {event.reason for event in ends(turned).values()} == {"forgotten"}
    assert (len(ends(turned)), turned.requests) == (count, [])


async def test_a_retry_whose_payload_was_forgotten_is_not_made(turned):
    """A delivery that failed, and whose payload was forgotten meanwhile, is cancelled when its next attempt is due."""
    await turned.webhook("mine")
    turned.reply = lambda request: None
    delivery = await turned.event("first")
    await turned.still()
    turned.requests[0].answer(BAD)
    await turned.wait(1)
    forget(turned, delivery - 1)
    await turned.run_out()
    assert [type(event).__name__ for event in turned.story(delivery)] == ["AttemptFailed", "Cancelled"]
    assert len(turned.requests) == 1


async def test_the_end_is_recorded_when_the_ledger_takes_it_again(turned, monkeypatch):
    """A ledger that cannot write puts the cancelling off, and does not end it."""
    _, events = await backlog(turned, 10)
    forget(turned, events[0])
    with monkeypatch.context() as broken:
        broken.setattr("core.ledger.append.SqliteAppender.append", fails)
        turned.service.office.plugins.versions = lambda: turned.service.office.directory.plugins
        await turned.finish(turned.service.start())
        await turned.wait(3)
        assert ends(turned) == {}
    await turned.wait(3)
    assert len(ends(turned)) == 10
