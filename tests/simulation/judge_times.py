"""Whether attempts are made when they are due: not early, not late, not while a receiver asked to be left alone."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator

from core.model.delivery import Attempt, AttemptFailed, LateAttempt
from tests.simulation.judge_deliveries import true_s
from tests.simulation.receiver import Arrival
from tests.simulation.told import JITTER, Delivery, Told
from tests.simulation.world import World

Broken = Iterator[tuple[str, float]]

LATE_MS_MAX = 3_000
"""After due, when all is well, and for each other attempt of the webhook meanwhile: they may be made one by one."""
EACH_MS = 1_000
ABOUT_S = 5.0
"""What steps that are too small to be noticed, and the ways of requests, come to."""
SETTLED_S = 120
"""So long after all has been mended, nothing of the trouble is left."""


def _answers(world: World) -> dict[tuple[str, int, int | None], Arrival]:
    """Requests by delivery, attempt and the status answered."""
    return {(arrival.delivery, arrival.attempt, arrival.reply.status): arrival for arrival in world.arrivals}


def never_early(world: World, told: Told) -> Broken:
    """A retry comes after the schedule's wait with its jitter, and after what the receiver asked for, up to a day."""
    answers = _answers(world)
    for each in told.deliveries.values():
        due, because = each.created.at, "it was created"
        since = due
        for recorded, attempt in each.attempts():
            if isinstance(recorded.event, LateAttempt):
                continue
            at_s = true_s(attempt.started)
            if attempt.started < due and _is_steady(world, since, due, attempt.started):
                early_s = (due - attempt.started) / 1000
                yield f"delivery {each.number} attempt {attempt.number} is {early_s:.3f} s early: {because}", at_s
            schedule_s = told.schedule_s(each.webhook, attempt)
            if not isinstance(recorded.event, AttemptFailed) or attempt.number > len(schedule_s):
                continue
            ended = world.wall.later(attempt.started, attempt.took)
            arrival = answers.get((each.id, attempt.number, attempt.status)) if attempt.status is not None else None
            asked_ms = 0 if arrival is None else arrival.reply.retry_after_ms or 0
            wait_ms = schedule_s[attempt.number - 1] * 1000
            since = min(ended)
            due = since + max(round(wait_ms * (1 - JITTER)), asked_ms)
            latest = max(ended) + max(round(wait_ms * (1 + JITTER)), asked_ms)
            wait = f"{wait_ms} ms by schedule, {asked_ms} ms asked"
            because = f"attempt {attempt.number} ended {true_s(min(ended)):.3f}, {wait}"
            if not due <= (recorded.event.next or 0) <= latest:
                yield f"delivery {each.number} is due {recorded.event.next}, not {due} to {latest}: {because}", at_s


def waits_keep_their_length(world: World, told: Told) -> Broken:
    """Where the clock was set, a retry still comes after its wait, in true time: nobody who set it makes it early. Only
    a machine that ran all the while knows how far it was set."""
    if world.wall.is_true:
        return
    arrivals: dict[tuple[str, int], list[Arrival]] = defaultdict(list)
    for arrival in world.arrivals:
        arrivals[arrival.delivery, arrival.attempt].append(arrival)
    for each in told.deliveries.values():
        for recorded, attempt in each.attempts():
            event, before = recorded.event, arrivals[each.id, attempt.number]
            after = arrivals[each.id, attempt.number + 1]
            if not isinstance(event, AttemptFailed) or event.next is None or len(before) != 1 or not after:
                continue
            (came,), next_came = before, after[0]
            # What was under way in a network that was parted may have come long after it went out.
            is_known = not world.weather.was_troubled(came.at_s - SETTLED_S, came.at_s)
            if came.sender == next_came.sender and is_known:
                wait_s = (event.next - event.at) / 1000
                waited_s = next_came.at_s - came.at_s - attempt.took / 1000
                if waited_s < wait_s - ABOUT_S:
                    yield (
                        f"{next_came!r} came {waited_s:.3f} s after the one before, and not {wait_s:.3f}",
                        next_came.at_s,
                    )


def _is_steady(world: World, *walls: int) -> bool:
    """Whether the clock was not set between these times on it; for a clock that was ever set, only roughly known."""
    about_s = world.wall.farthest_s + ABOUT_S
    return world.wall.is_true or world.wall.is_steady(true_s(min(walls)) - about_s, true_s(max(walls)) + about_s)


def is_in_time(world: World, told: Told) -> Broken:
    """When all is well again, what is due is attempted soon."""
    if not world.wall.is_true:
        return
    started_s = max(epoch.started_s for epoch in world.home.epochs)
    well_ms = world.wall.at(max(world.active_until_s, started_s) + SETTLED_S)
    holds = _holds(world, told)
    starts: dict[int, list[int]] = defaultdict(list)
    for each in told.deliveries.values():
        starts[each.webhook] += [attempt.started for _, attempt in each.attempts()]
    for times in starts.values():
        times.sort()
    for each in told.deliveries.values():
        times, due = starts[each.webhook], each.created.at
        for recorded, attempt in each.attempts():
            if isinstance(recorded.event, LateAttempt):
                continue
            due = max([due, *(until for since, until, _ in holds[each.webhook] if since <= attempt.started)])
            others = bisect_left(times, attempt.started) - bisect_left(times, due)
            if due > well_ms and attempt.started > due + LATE_MS_MAX + EACH_MS * others:
                late_s = (attempt.started - due) / 1000
                yield f"delivery {each.number} attempt {attempt.number} is {late_s:.3f} s late", true_s(due)
            if isinstance(recorded.event, AttemptFailed) and recorded.event.next is not None:
                due = recorded.event.next


def _holds(world: World, told: Told) -> dict[int, list[tuple[int, int, str]]]:
    """Per webhook, from when until when it was to be left alone, in order of their beginning; enabling it ends that."""
    answers = _answers(world)
    holds: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for each in told.deliveries.values():
        for recorded, attempt in each.attempts():
            if attempt.status not in (429, 503) or isinstance(recorded.event, LateAttempt):
                continue
            arrival = answers.get((each.id, attempt.number, attempt.status))
            asked_ms = 0 if arrival is None else arrival.reply.retry_after_ms or 0
            since = attempt.started + attempt.took
            until = since + asked_ms
            for enabled in told.enabled[each.webhook]:
                if enabled.position > recorded.position and enabled.event.at < until:
                    until = enabled.event.at
            holds[each.webhook].append((since, until, f"delivery {each.number} attempt {attempt.number}"))
    return holds


def holds_are_kept(world: World, told: Told) -> Broken:
    """After a 429 or 503 with Retry-After, nothing of that webhook is attempted before."""
    holds = _holds(world, told)
    for each in told.deliveries.values():
        for _, attempt in each.attempts():
            for since, until, by in holds[each.webhook]:
                if since < attempt.started < until and _is_steady(world, since, attempt.started):
                    what = f"delivery {each.number} attempt {attempt.number}, {attempt.started - since} ms after"
                    yield (
                        f"{what} {by} asked for {until - since} ms without webhook {each.webhook}",
                        true_s(attempt.started),
                    )


def disabled_is_left_alone(world: World, told: Told) -> Broken:
    """Once somebody has been told that a webhook is off, or gone, no attempt of it begins, until one asks for it."""
    if not world.wall.is_true:
        return
    times: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for commanded in world.commanded:
        for number in commanded.numbers:
            if commanded.operation in ("webhooks.disable", "webhooks.delete") and commanded.answered_s is not None:
                times[number].append((world.wall.at(commanded.answered_s), "off"))
            elif commanded.operation == "webhooks.enable":
                times[number].append((world.wall.at(commanded.asked_s), "on"))
    for each, attempt in _attempts(told):
        changes = sorted(times[each.webhook])
        index = bisect_right(changes, (attempt.started - 1, "~")) - 1
        if index >= 0 and changes[index][1] == "off":
            after_ms = attempt.started - changes[index][0]
            yield f"delivery {each.number} attempt {attempt.number} began {after_ms} ms after", true_s(attempt.started)


def changes_hold(world: World, told: Told) -> Broken:
    """An attempt that begins after somebody was told of a change is made with it."""
    if not world.wall.is_true:
        return
    answered: dict[int, list[int]] = defaultdict(list)
    for commanded in world.commanded:
        for number in commanded.numbers:
            if commanded.answered_s is not None:
                answered[number].append(world.wall.at(commanded.answered_s))
    for each, attempt in _attempts(told):
        known = max((at for at in answered[each.webhook] if at < attempt.started), default=0)
        forms = told.forms[each.webhook]
        newest = max(
            (version for version, form in forms.items() if form.by is not None and form.at <= known), default=0
        )
        if attempt.webhook_version < newest:
            versions = f"version {attempt.webhook_version} of webhook {each.webhook}, after {newest} was answered"
            yield f"delivery {each.number} attempt {attempt.number} was made by {versions}", true_s(attempt.started)


def _attempts(told: Told) -> Iterator[tuple[Delivery, Attempt]]:
    for each in told.deliveries.values():
        for _, attempt in each.attempts():
            yield each, attempt
