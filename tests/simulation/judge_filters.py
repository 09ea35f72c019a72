"""Whether a filter means what it says: all deliveries that it lets through, and of what was sent again the newest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.model.delivery import AttemptFailed, Cancelled, Delivered
from tests.simulation.again import Question
from tests.simulation.judge_again import SLOW_S, positions
from tests.simulation.told import Delivery, Told
from tests.simulation.world import World

Broken = Iterator[tuple[str, float]]

ENDED = ("delivered", "failed", "cancelled")


def filters_mean_what_they_say(world: World, told: Told) -> Broken:
    """What is meant all the while is made, or refused, and nothing that never is; also while the views are behind."""
    for question in world.questions:
        if question.selection is None or question.answered_s is None:
            continue
        since, until = positions(world, told, question, slow_s=SLOW_S)
        named = {one["of"] for one in question.told}
        for of in sorted(named):
            if not any(_lets_through(told, question, of, moment) for moment in _moments(told, of, since, until)):
                yield f"{question} means {of}, which it does not let through", question.answered_s
            if any(number <= since for number in told.again[of]):
                yield f"{question} means {of}, which was sent again as {told.again[of]}", question.answered_s
        end = until if question.looked_to is None else question.looked_to
        if len(question.told) == question.limit:
            end = max(named)
        for of in told.deliveries:
            if of in named or not question.after < of < min(question.before or 0, since + 1, end + 1):
                continue
            if any(number <= until for number in told.again[of]):
                continue
            if all(_lets_through(told, question, of, moment) for moment in _moments(told, of, since, until)):
                yield f"{question} does not mean {of}, which it lets through", question.answered_s


def _moments(told: Told, of: int, since: int, until: int) -> set[tuple[str, int | None]]:
    """The states that it has between two positions, each with the status of the last attempt by then."""
    now: tuple[str, int | None] = ("pending", None)
    found = set[tuple[str, int | None]]()
    for recorded in told.deliveries[of].after:
        if recorded.position > since:
            found.add(now)
        if recorded.position > until:
            return found
        now = _after(recorded.event, now)
    return found | {now}


def _after(event: Any, now: tuple[str, int | None]) -> tuple[str, int | None]:
    if isinstance(event, Delivered):
        return "delivered", event.attempt.status
    if isinstance(event, AttemptFailed):
        return "failed" if event.next is None else "retrying", event.attempt.status
    return ("cancelled", now[1]) if isinstance(event, Cancelled) else now


def _lets_through(told: Told, question: Question, of: int, moment: tuple[str, int | None]) -> bool:
    assert question.selection is not None
    selection, each = question.selection, told.deliveries[of]
    state, status = moment
    return (
        selection.get("webhook") in (None, each.webhook)
        and selection.get("tenant") in (None, each.created.tenant)
        and _is_of_event(told, selection, each)
        and state in selection.get("states", ENDED)
        and _has_status(selection.get("statuses"), status)
    )


def _is_of_event(told: Told, selection: dict[str, Any], each: Delivery) -> bool:
    if "event" not in selection:
        return True
    received = told.received[selection["tenant"], selection["event"]]
    return each.created.event in [recorded.stream for recorded in received]


def _has_status(statuses: list[str] | None, status: int | None) -> bool:
    if statuses is None:
        return True
    return status is not None and any(said in (str(status), f"{status // 100}xx") for said in statuses)
