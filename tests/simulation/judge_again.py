"""Whether what was wanted again was made once, of the same event to the same webhook, and else refused rightly."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from core.model.delivery import Redelivery
from tests.matching.history import told_plainly
from tests.oracle import happen, why_not_again, with_readers
from tests.simulation.again import UNWRITTEN, Question
from tests.simulation.told import Delivery, Told
from tests.simulation.world import World

Broken = Iterator[tuple[str, float]]

SLOW_S = 30.0
"""What was committed so long before is known to whoever decides."""
REASONS = {"was deleted": "deleted", "enable it first": "disabled", "may not know of it any more": "owner"}
"""How a refusal ends, and what the oracle calls it."""


class Doubt(NamedTuple):
    """A redelivery of a delivery that was made, or refused, between two positions: whether that was right."""

    since: int
    until: int
    of: Delivery
    said: str | None
    what: str
    at_s: float


def redelivered_once(world: World, told: Told) -> Broken:
    """What was answered as made is recorded once, for each key and delivery, and is answered so for ever."""
    under: dict[tuple[str, int], int] = {}
    for question in world.questions:
        for one in question.told:
            number, pair, at_s = one["number"], (question.key, one["of"]), question.answered_s or 0.0
            if number is None:
                if question.key and pair in under:
                    yield f"{question} was answered {one}, and before it was made as {under[pair]}", at_s
            elif question.is_trial or number not in told.again[one["of"]]:
                yield f"{question} was answered {one}, and of that there are {told.again[one['of']]}", at_s
            elif question.key and under.setdefault(pair, number) != number:
                yield f"{question} was answered {one}, and before it was made as {under[pair]}", at_s
    if len(set(under.values())) < len(under):
        yield f"two keys, or deliveries, have the same redelivery: {under}", world.loop.now_s


def redelivered_as_asked(world: World, told: Told) -> Broken:
    """Filters have a delivery sent again once at most; and nothing is sent again that nobody asked for."""
    named = {one["number"] for question in world.questions if question.key for one in question.told}
    for of, numbers in told.again.items():
        others = [number for number in numbers if number not in named]
        if len(others) > 1:
            yield f"delivery {of} was sent again as {others} by filters", world.loop.now_s
        for number in others:
            if not any(_may_have_made(world, told, question, of, number) for question in world.questions):
                yield f"delivery {number} was made of {of}, and nobody was told", world.loop.now_s


def _may_have_made(world: World, told: Told, question: Question, of: int, number: int) -> bool:
    """Whether this filter, whose answer may have been lost, may have made that."""
    if question.selection is None or question.is_trial:
        return False
    since, until = positions(world, told, question, slow_s=0)
    return question.after < of < question.selection["before"] and since < number <= until


def redelivered_is_the_same(world: World, told: Told) -> Broken:
    """A redelivery is of the same event to the same webhook, and says what was said, but for its number."""
    events = dict[bytes, Any]()
    wanted = {told.deliveries[number].created.event for numbers in told.again.values() for number in numbers}
    for of, numbers in told.again.items():
        for number in numbers:
            one, other = told.deliveries[number].created, told.deliveries[of].created
            if (one.tenant, one.webhook, one.event, one.cause) != (
                other.tenant, other.webhook, other.event, Redelivery(of, "operator")
            ):  # fmt: skip
                yield f"redelivery {number} of {of} is {one}, and that was {other}", world.loop.now_s
    for arrival in world.arrivals:
        each = told.deliveries.get(arrival.number)
        if each is None or each.created.event not in wanted:
            continue
        said = json.loads(arrival.body)
        event = {name: value for name, value in said["event"].items() if name != "id"}
        first = events.setdefault(each.created.event, (event, said["payload"]))
        if (event, said["payload"]) != first or said["webhook"]["id"] != each.webhook or arrival.delivery != each.id:
            yield f"{arrival!r} to webhook {each.webhook} said {said}, and before it was {first}", arrival.at_s


def refused_rightly(world: World, told: Told) -> Broken:
    """What is made may be, and what is refused has the reason that is given, as it was while somebody asked."""
    doubts = list[Doubt]()
    made = set[int]()
    for question in world.questions:
        since, until = positions(world, told, question, slow_s=SLOW_S)
        for one in question.told:
            of, at_s, what = told.deliveries.get(one["of"]), question.answered_s or 0.0, f"{question}: {one}"
            why = one["why"] or ""
            if of is None or why.startswith("there is no delivery"):
                if of is not None or why != f"there is no delivery {one['of']}":
                    yield f"{what}, in a ledger in which it is {of}", at_s
            elif why.startswith(UNWRITTEN):
                if not world.weather.had_broken_disk(at_s):
                    yield f"{what}, and nothing is wrong with the disk", at_s
            elif one["number"] is None or one["number"] not in made:
                made.add(one["number"] or 0)
                said = next((name for end, name in REASONS.items() if why.endswith(end)), why or None)
                doubts.append(Doubt(since, one["number"] or until, of, said, what, at_s))
    for doubt, right in _judged(told, doubts):
        if doubt.said not in right:
            yield f"{doubt.what}; right would have been {right}", doubt.at_s


def positions(world: World, told: Told, question: Question, *, slow_s: float) -> tuple[int, int]:
    """Between which positions of the ledger a question was decided."""
    if not world.wall.is_true or question.answered_s is None:
        return 0, told.events[-1].position
    since = bisect_left(told.commits, (world.wall.at(max(question.asked_s - slow_s, 0)),))
    until = bisect_right(told.commits, (world.wall.at(question.answered_s), told.events[-1].position))
    return told.commits[max(since - 1, 0)][1], told.commits[max(until - 1, 0)][1]


def _judged(told: Told, doubts: list[Doubt]) -> Iterator[tuple[Doubt, set[str | None]]]:
    """Each with all that would have been right at some moment meanwhile, by the oracle."""
    portals = dict[str, Any]()
    sent = dict[int, Any]()
    found = [set[str | None]() for _ in doubts]
    numbers = {recorded.stream: recorded.position for some in told.received.values() for recorded in some}
    waiting, active = sorted(range(len(doubts)), key=lambda index: doubts[index].since, reverse=True), list[int]()
    history = told_plainly(told.reader)
    ends = [entry["position"] for entry in history[1:]] + [told.events[-1].position + 1]
    for entry, end in zip(history, ends, strict=True):
        portal = portals.setdefault(entry["tenant"], {"webhooks": {}, "people": {}, "groups": {}})
        if entry["what"] == "event":
            sent[entry["position"]] = with_readers(portal, entry["sent"])
        happen(portal, entry)
        while waiting and doubts[waiting[-1]].since < end:
            active.append(waiting.pop())
        active = [index for index in active if doubts[index].until >= entry["position"]]
        for index in active:
            created = doubts[index].of.created
            if (event := numbers[created.event]) in sent:
                found[index].add(why_not_again(portals[created.tenant], created.webhook, sent[event]))
    yield from zip(doubts, found, strict=True)
