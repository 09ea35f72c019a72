"""Whether each delivery's recorded story is one that can be, and is what receivers saw."""

from __future__ import annotations

import hmac
import itertools
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256

from core.ledger.keys import MasterKey
from core.model.delivery import Attempt, AttemptFailed, Cancelled, Delivered, LateAttempt
from tests.simulation.home import KEY
from tests.simulation.receiver import Arrival
from tests.simulation.told import Delivery, Told
from tests.simulation.wall import BEGINNING_MS
from tests.simulation.world import World

Broken = Iterator[tuple[str, float]]


def true_s(at_ms: int) -> float:
    """Roughly when that was, for people."""
    return (at_ms - BEGINNING_MS) / 1000


def deliveries_end_once(_: World, told: Told) -> Broken:
    """A delivery has one end, and attempts 1, 2, 3 before it; after it, only what was under way when cancelled."""
    for each in told.deliveries.values():
        number, end = 0, None
        for version, recorded in enumerate(each.after, 2):
            event, at_s = recorded.event, true_s(recorded.event.at)
            if recorded.version != version or recorded.stream != each.stream:
                yield f"delivery {each.number}: version {recorded.version} of its stream is its {version}th event", at_s
            if isinstance(event, LateAttempt):
                if not isinstance(end, Cancelled):
                    yield f"delivery {each.number}: a late attempt after {end}", at_s
                continue
            if end is not None:
                yield f"delivery {each.number} has two ends: {_short(end)}, then {_short(event)}", at_s
            if isinstance(event, Delivered | AttemptFailed):
                number += 1
                if event.attempt.number != number:
                    yield f"delivery {each.number}: attempt {event.attempt.number} is its {number}th", at_s
                schedule_s = told.schedule_s(each.webhook, event.attempt)
                if isinstance(event, AttemptFailed) and (event.next is None) != (number > len(schedule_s)):
                    yield f"delivery {each.number}: after attempt {number} comes {event.next}, by {schedule_s}", at_s
            if not isinstance(event, AttemptFailed) or event.next is None:
                end = event


def _short(event: object) -> str:
    number = f" at attempt {event.attempt.number}" if isinstance(event, Delivered | AttemptFailed) else ""
    return type(event).__name__ + number


def requests_are_recorded(world: World, told: Told) -> Broken:
    """Each request that came is recorded once, with the status that was answered, unless the service died of it."""
    arrivals: dict[tuple[str, int], list[Arrival]] = defaultdict(list)
    for arrival in world.arrivals:
        arrivals[arrival.delivery, arrival.attempt].append(arrival)
    ids = {each.id: each for each in told.deliveries.values()}
    for (id, attempt), came in arrivals.items():
        if id not in ids:
            yield f"a request for delivery {id}, which is not in the ledger", came[0].at_s
        else:
            yield from _came(world, ids[id], attempt, came)
    for each in told.deliveries.values():
        for _, attempt in each.attempts():
            came = arrivals.get((each.id, attempt.number), [])
            if attempt.status is not None and not any(_is_of(arrival, attempt) for arrival in came):
                what = f"delivery {each.number} attempt {attempt.number} is recorded with status {attempt.status}"
                yield f"{what}, and was answered {[arrival.reply.status for arrival in came]}", true_s(attempt.started)


def requests_are_right(world: World, told: Told) -> Broken:
    """A request went where its webhook led in the version that is recorded, signed with its secret then, and its body
    has the recorded hash."""
    if not world.wall.is_true:
        return
    key = MasterKey(bytes.fromhex(KEY["HOOKLEDGER_KEY"]))
    webhooks, opened = dict(told.recorder.rows("SELECT id, webhook FROM secrets")), dict[bytes, bytes]()
    for id, sealed in told.recorder.rows("SELECT id, sealed FROM secrets"):
        opened[id] = key.open(sealed, webhooks[id]).encode()
    arrivals: dict[tuple[str, int, int], list[Arrival]] = defaultdict(list)
    for arrival in world.arrivals:
        arrivals[arrival.delivery, arrival.attempt, arrival.stamp_s].append(arrival)
    for each in told.deliveries.values():
        for _, attempt in each.attempts():
            form = told.forms[each.webhook][attempt.webhook_version]
            for arrival in arrivals.get((each.id, attempt.number, attempt.started // 1000), ()):
                if arrival.sender != world.home.machine_at(true_s(attempt.started)):
                    continue  # it died of it
                signature = hmac.new(opened[form.secret], arrival.body, sha256).hexdigest().upper()
                asked = (arrival.url, arrival.signature, sha256(arrival.body).digest())
                right = (form.url, f"sha256={signature}", attempt.body_hash)
                if asked != right or attempt.secret != form.secret:
                    yield f"{arrival!r} is {asked}, and should be {right}", arrival.at_s


def _is_of(arrival: Arrival, attempt: Attempt) -> bool:
    return arrival.stamp_s == attempt.started // 1000 and arrival.reply.status == attempt.status


def _came(world: World, each: Delivery, number: int, came: list[Arrival]) -> Broken:
    """The requests of one attempt: more than one only where the answer to the one before cannot have been known."""
    recorded = [attempt for _, attempt in each.attempts() if attempt.number == number]
    last = came[-1]
    epochs = {epoch.machine: epoch for epoch in world.home.epochs}
    if not recorded and (
        epochs[last.sender].how == "stopped" and not world.weather.had_broken_disk(epochs[last.sender].ended_s)
    ):
        yield f"{last!r} is not recorded, though {last.sender} was stopped gracefully", last.at_s
    for before, after in itertools.pairwise(came):
        if before.sender != after.sender:
            known = [attempt for attempt in recorded if attempt.started // 1000 == before.stamp_s != after.stamp_s]
            if known and epochs[before.sender].ended_s < after.at_s:
                yield f"{after!r} was made again, though it is recorded from {before.sender}", after.at_s
        elif before.is_fresh_line or before.line_ended_s > after.at_s:
            yield f"{after!r} was made twice: before at {before.at_s:.3f}", after.at_s
