"""The judge of a life: what portals, people and receivers saw, held against the ledger, promise by promise.

Nothing of it is read from the service: it is written from what is promised.
"""

from __future__ import annotations

from tests.simulation.judge_again import (
    redelivered_as_asked,
    redelivered_is_the_same,
    redelivered_once,
    refused_rightly,
)
from tests.simulation.judge_deliveries import deliveries_end_once, requests_are_recorded, requests_are_right
from tests.simulation.judge_filters import filters_mean_what_they_say
from tests.simulation.judge_matching import (
    acknowledged_is_kept,
    done_once,
    hears_what_it_should,
    order_is_real,
    published_is_kept,
    revoked_is_silent,
)
from tests.simulation.judge_times import (
    changes_hold,
    disabled_is_left_alone,
    holds_are_kept,
    is_in_time,
    never_early,
    waits_keep_their_length,
)
from tests.simulation.judge_views import views_are_right
from tests.simulation.judge_windows import stays_young, windows_are_kept
from tests.simulation.told import Told
from tests.simulation.world import World

PROMISES = {
    "nothing acknowledged is lost": acknowledged_is_kept,
    "what operators publish is kept": published_is_kept,
    "a revoked token is silent": revoked_is_silent,
    "what was answered before comes before": order_is_real,
    "those hear of it who should": hears_what_it_should,
    "a delivery has one end": deliveries_end_once,
    "requests are recorded as they were": requests_are_recorded,
    "requests are what their webhook says": requests_are_right,
    "what is said twice is done once": done_once,
    "what is sent again is made once": redelivered_once,
    "what nobody wants again is not sent again": redelivered_as_asked,
    "what is sent again is the same": redelivered_is_the_same,
    "what is not sent again may not be": refused_rightly,
    "a filter means what it says": filters_mean_what_they_say,
    "no attempt is early": never_early,
    "a wait keeps its length when the clock is set": waits_keep_their_length,
    "no attempt is late": is_in_time,
    "Retry-After holds back the webhook": holds_are_kept,
    "a disabled webhook is left alone": disabled_is_left_alone,
    "a change holds from its answer on": changes_hold,
    "windows are kept": windows_are_kept,
    "young requests have a limit": stays_young,
    "views are what the ledger says": views_are_right,
}


def judge(world: World) -> None:
    """Add to the world's violations what is not as promised."""
    told = Told(world.home.data)
    try:
        for promise, broken in PROMISES.items():
            for how, at_s in broken(world, told):
                world.fault(promise, how, at_s)
    finally:
        told.close()
    world.violations.sort(key=lambda violation: violation.at_s)
