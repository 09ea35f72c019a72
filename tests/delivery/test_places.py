"""Places for requests that may grow old: who has to wait for one, and who does not."""

from __future__ import annotations

from core.limits import SLOW_MS
from tests.delivery.desk import Desk


def test_hanging_requests_leave_room_from_the_start_to_who_is_quick():
    """However many may hang at once, a webhook that is known to be quick is served without waiting for a second."""
    desk = Desk(young_max=8, webhooks=range(1, 21))
    desk.hand_out(20, 1)
    desk.finish(desk.of(20)[0])
    for webhook in range(1, 20):
        desk.hand_out(webhook, 4)
    assert len(desk.under_way) == 6
    desk.hand_out(20, 4)
    assert len(desk.of(20)) == 2


def test_the_second_limit_stops_only_those_that_hang():
    """At the limit of old requests a webhook that fails at once is served, and one that hangs is not."""
    desk = Desk(young_max=128, old_max=4)
    desk.hand_out(2, 1)
    desk.finish(desk.of(2)[0])
    desk.hand_out(1, 4)
    desk.wait(SLOW_MS)
    assert desk.dispatch.old == 4
    desk.hand_out(2, 1)
    desk.finish(desk.of(2)[0], is_good=False)
    assert desk.lanes[1].window.size == 1
    desk.hand_out(2, 1)
    assert len(desk.of(2)) == 1
    desk.finish(desk.of(1)[0], is_good=False)
    desk.finish(desk.of(1)[0], is_good=False)
    desk.finish(desk.of(1)[0], is_good=False)
    desk.finish(desk.of(1)[0], is_good=False)
    desk.hand_out(1, 10)
    assert len(desk.of(1)) == 1


def test_the_second_limit_holds_for_those_that_hang():
    """Webhooks known to hang are given three quarters of the requests that may grow old; a new one finds room."""
    desk = Desk(young_max=128, old_max=8, webhooks=range(1, 52))
    for webhook in range(1, 51):
        desk.hand_out(webhook, 1)
        desk.wait(SLOW_MS)
        desk.finish(desk.of(webhook)[0], is_good=False)
    for webhook in range(1, 51):
        desk.hand_out(webhook, 2)
    assert len(desk.under_way) == 6
    for n in range(1, 30):
        desk.wait(SLOW_MS)
        assert desk.dispatch.old == 6
        assert len({row.webhook for row in desk.under_way}) == 6
        desk.finish(desk.under_way[0], is_good=False)
        assert len(desk.under_way) == 6, f"after {n} ends"
    desk.hand_out(51, 4)
    assert len(desk.of(51)) == 2


def test_the_second_limit_holds_for_those_nobody_knows_yet():
    """After a start any webhook may hang: first requests are no more than may grow old, until one is answered."""
    desk = Desk(young_max=128, old_max=6, webhooks=range(1, 101))
    for webhook in range(1, 101):
        desk.hand_out(webhook, 1)
    assert len(desk.under_way) == 6
    for _ in range(10):
        desk.wait(SLOW_MS)
        assert desk.dispatch.old == len(desk.under_way) == 6
    desk.finish(desk.under_way[0], is_good=False)
    quick = desk.under_way[-1]
    desk.finish(quick)
    assert len(desk.under_way) == 6
    desk.hand_out(quick.webhook, 5)
    assert len(desk.of(quick.webhook)) == 5, "this one is known to be quick by now"


def test_both_limits_together_are_never_passed():
    """When all receivers stop answering at once, also those that were quick, the requests under way stay bounded."""
    desk = Desk(young_max=8, old_max=6, webhooks=range(1, 101))
    for webhook in range(1, 101):
        desk.hand_out(webhook, 1)
        desk.finish(desk.of(webhook)[0])
    for webhook in range(1, 101):
        desk.hand_out(webhook, 2)
    for _ in range(5):
        assert len(desk.under_way) <= 8 + 6
        desk.wait(SLOW_MS)
    assert (len(desk.under_way), desk.dispatch.old) == (14, 14)
