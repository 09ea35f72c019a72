"""What one webhook has waiting costs the others nothing, and memory little."""

from __future__ import annotations

from delivery.refill import READING_ROWS_MAX, ROWS_MAX
from delivery.sender import Unreached
from tests.delivery.outbox.backlog import append_backlog
from tests.delivery.outbox.jobs import let_run
from tests.delivery.outbox.turned import BAD, GOOD, Turned, url

RESTARTED_AFTER_S = 60


async def with_backlog(turned: Turned, webhooks: list[int], count: int) -> None:
    """The service, restarted on a ledger in which deliveries wait for these webhooks."""
    await turned.stop()
    append_backlog(turned.data, webhooks, count, turned.clock.now_ms())
    turned.clock.turn_to(turned.clock.now_ms() + RESTARTED_AFTER_S * 1000)
    await turned.begin()


async def test_a_hanging_webhook_with_100_000_deliveries_costs_the_others_nothing(turned):
    """What is new for a healthy webhook goes out at once, while few of the others' rows are in memory."""
    hanging = await turned.webhook("hanging", "file.created")
    await turned.webhook("healthy", "file.updated")
    turned.reply = lambda request: None if request.url == url("hanging") else GOOD
    await with_backlog(turned, [hanging], 100_000)
    await turned.wait(1)
    for second in range(4):
        for n in range(25):
            await turned.event(f"{second} {n}")
            await turned.still()
        assert {request.at_ms for request in turned.to("healthy")[-25:]} == {turned.clock.now_ms()}
        assert len(turned.to("healthy")) == 25 * (second + 1)
        in_memory = len(turned.service.carrier.outbox.rows)
        assert in_memory <= 100
        await turned.wait(1)
    assert len(turned.to("hanging")) == 4


async def test_many_hanging_webhooks_leave_room_for_one_that_stumbled(turned, monkeypatch):
    """With memory full of rows of webhooks that hang, one whose window is small still gets its rows from disk."""
    monkeypatch.setattr("delivery.dispatch.READY_ROWS_MAX", 64)
    hanging = [await turned.webhook(f"hanging-{n}", "file.created") for n in range(8)]
    stumbled = await turned.webhook("stumbled", "file.updated")
    turned.reply = lambda request: BAD if request.url == url("stumbled") else None
    await with_backlog(turned, hanging, 200)
    await turned.wait(2)
    await turned.event("stumbles")
    await turned.still()
    turned.reply = lambda request: GOOD if request.url == url("stumbled") else None
    await turned.wait(6)
    assert [request.attempt for request in turned.to("stumbled")] == [1, 2]
    assert turned.service.carrier.dispatch.lanes[stumbled].window.size > 1


async def test_large_rows_of_many_webhooks_stay_within_their_bytes(turned):
    """However many webhooks have large rows due at once, the rows in memory pass their limit by one reading at most."""
    bytes_max, row_bytes, many = 100_000, 1_000, 64
    numbers = [await turned.webhook(f"many-{n}", "file.created") for n in range(many)]
    await turned.stop()
    payload = b'{"title":"' + b"x" * row_bytes + b'"}'
    append_backlog(turned.data, numbers, 60, turned.clock.now_ms(), payload)
    turned.clock.turn_to(turned.clock.now_ms() + 1_000)
    turned.reply = lambda request: None
    await turned.begin()
    turned.service.carrier.dispatch._ready_bytes_max = bytes_max
    turned.clock.turn_to(turned.clock.now_ms() + 300)
    most = 0
    while turned.service.carrier.dispatch.young < turned.service.carrier.dispatch._places.suspects_max:
        await turned.once()
        most = max(most, turned.service.carrier.dispatch.ready_bytes)
    assert bytes_max <= most <= bytes_max + (READING_ROWS_MAX + ROWS_MAX + many) * len(payload)


async def test_a_restart_with_10_000_pending_starts_handing_out(turned):
    """As soon as the service has started, requests go out, within the window of the webhook."""
    number = await turned.webhook("many", "file.created")
    turned.reply = lambda request: None
    await with_backlog(turned, [number], 10_000)
    assert turned.service.is_ready
    # What the views did not hold yet is written within a quarter of a second.
    await turned.wait(0.3)
    assert len(turned.requests) == 4
    in_memory = len(turned.service.carrier.outbox.rows)
    assert in_memory <= 100
    turned.reply = lambda request: GOOD
    for request in list(turned.requests):
        request.answer(GOOD)
    while len(turned.requests) < 1_000:
        before = len(turned.requests)
        for _ in range(200):
            turned.jobs.turn()
            await let_run()
        assert len(turned.requests) > before
        in_memory = len(turned.service.carrier.outbox.rows)
        assert in_memory < 4_000
    assert len({request.number for request in turned.requests}) == len(turned.requests)


async def test_a_retry_does_not_slow_down_what_comes_after_it(turned):
    """Deliveries go out the moment they are accepted, also once the webhook had a row on disk."""
    await turned.webhook("steady")
    turned.reply = lambda request: BAD if request.title == "0" and request.attempt == 1 else GOOD
    for n in range(325):
        number = await turned.event(str(n))
        await turned.still()
        assert turned.requests[-1].number == number, f"event {n} waits"
        # Not `wait`: the next event is to come while what rings now is still being done.
        turned.clock.turn_to(turned.clock.now_ms() + 20)
    assert [request.attempt for request in turned.requests if request.title == "0"] == [1, 2]


async def test_what_comes_back_in_a_catch_up_does_not_slow_down_the_rest(turned):
    """A delivery that was created and failed while no view was written leaves its webhook as it was."""
    await turned.webhook("steady")
    turned.reply = lambda request: BAD
    await turned.event("fails")
    await turned.still()
    turned.reply = lambda request: GOOD
    await turned.kill()
    await turned.begin()
    await turned.wait(10)
    assert [request.attempt for request in turned.requests] == [1, 2]
    number = await turned.event("after")
    await turned.still()
    assert turned.requests[-1].number == number


async def test_the_heap_of_wakes_stays_small(turned):
    """A webhook with a retry far ahead is woken for nearer ones again and again, and keeps no trace of that."""
    turned.schedule_s = (1, 36_000)
    await turned.stop()
    await turned.begin()
    await turned.webhook("failing")
    turned.reply = lambda request: Unreached("cannot connect: connection refused")
    for n in range(300):
        await turned.event(str(n))
        await turned.wait(1)
        assert len(turned.service.carrier.refill._wakes) <= 66


async def test_who_answered_before_a_restart_is_not_taken_for_new_after_it(turned):
    """With no place left for requests that may hang, whose last delivery went well is served; a new webhook waits."""
    for name, type in (("hanging", "file.created"), ("known", "file.updated")):
        await turned.webhook(name, type)
    turned.reply = lambda request: None if request.url == url("hanging") else GOOD
    await turned.event("before")
    await turned.still()
    await turned.stop()
    await turned.begin()
    turned.service.carrier.dispatch._places.places_max = 1
    await turned.webhook("new", "file.deleted")
    await turned.event("hangs", type="file.created")
    await turned.wait(2)
    await turned.event("goes out")
    await turned.event("waits", type="file.deleted")
    await turned.wait(2)
    assert (len(turned.to("known")), len(turned.to("new"))) == (2, 0)
    turned.to("hanging")[-1].answer(BAD)
    await turned.still()
    assert len(turned.to("new")) == 1
