"""Whether what portals were told is in the ledger, in the order in which it happened, and heard by whom it should."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from core.model.portal_event import Received
from tests.matching.history import recorded_hearers, told_plainly
from tests.oracle import listen
from tests.simulation.people import id_of
from tests.simulation.told import Told
from tests.simulation.world import World

Broken = Iterator[tuple[str, float]]
"""How a promise was broken, and when (true seconds)."""


def acknowledged_is_kept(world: World, told: Told) -> Broken:
    """An acknowledged event is recorded once, where the portal was told, with as many deliveries."""
    for acknowledged in world.acknowledged:
        said, at_s = acknowledged.answer, acknowledged.answered_s
        found = told.received.get((acknowledged.tenant, acknowledged.id), [])
        if len(found) != 1:
            yield f"event {acknowledged.id} was acknowledged, and is recorded {len(found)} times", at_s
            continue
        (recorded,) = found
        assert isinstance(recorded.event, Received)
        counts = (said["position"], said["deliveries"], said["deliveries"], said["trigger"])
        made = len(told.of_event[recorded.stream])
        is_so = (recorded.position, recorded.event.deliveries, made, recorded.event.trigger)
        if counts != is_so:
            yield f"event {acknowledged.id} was acknowledged as {counts}, and is {is_so}", at_s
        if not said.get("duplicate") and world.wall.is_true:
            since, until = world.wall.at(acknowledged.asked_s), world.wall.at(at_s)
            if not since <= recorded.event.at <= until:
                yield f"event {acknowledged.id} was accepted at {recorded.event.at}, not {since} to {until}", at_s


def published_is_kept(world: World, told: Told) -> Broken:
    """What operators published, and were answered for, is recorded once."""
    for tenant, id, at_s in world.published:
        if (count := len(told.received.get((tenant, id), []))) != 1:
            yield f"event {id} was published, and is recorded {count} times", at_s


def revoked_is_silent(world: World, told: Told) -> Broken:
    """Nothing comes in by a token once somebody has been told that it is revoked, but for what was under way."""
    if not world.wall.is_true:
        return
    revoked = {("http", id_of(token)): at_s for token, at_s in world.revoked.items()}
    asked = {(each.tenant, each.id): each.asked_s for each in reversed(world.acknowledged)}
    for recorded in told.events:
        if isinstance(recorded.event, Received):
            revoked_s = revoked.get(recorded.event.source)
            if revoked_s is None or asked.get((recorded.event.tenant, recorded.event.id), inf) < revoked_s:
                continue
            if recorded.event.at > world.wall.at(revoked_s):
                yield f"event {recorded.event.id} came by a token that was revoked at {revoked_s:.3f}", revoked_s


def order_is_real(world: World, _: Told) -> Broken:
    """What was asked for after something else had been answered has a later place in the ledger."""
    done = [
        (each.answered_s, each.asked_s, each.answer["position"], f"event {each.id}")
        for each in world.acknowledged
        if not each.answer.get("duplicate")
    ]
    done += [
        (each.answered_s, each.asked_s, each.answer["id"], f"webhook {each.answer['id']}")
        for each in world.commanded
        if each.operation == "webhooks.create" and each.answered_s is not None and not each.answer.get("note")
    ]
    answered = sorted(done)
    newest, index = (0, "nothing"), 0
    for answered_s, asked_s, position, what in sorted(done, key=lambda each: each[1]):
        while answered[index][0] < asked_s:
            newest = max(newest, (answered[index][2], answered[index][3]))
            index += 1
        if newest[0] > position:
            yield (
                f"{what} has position {position}, and {newest[1]}, answered before it was sent, {newest[0]}",
                answered_s,
            )


def done_once(world: World, told: Told) -> Broken:
    """A command that was said again under its key made one webhook, and is told of it the same each time."""
    for name in sorted(set(told.names)):
        if told.names.count(name) > 1:
            yield f"webhook {name} was made {told.names.count(name)} times", world.loop.now_s
    for commanded in world.commanded:
        if commanded.operation == "webhooks.create" and commanded.answered_s is not None:
            number = commanded.answer["id"]
            if number not in told.forms or commanded.answer["url"] != told.forms[number][1].url:
                yield f"webhook {number} was answered for, and is not in the ledger", commanded.answered_s


def hears_what_it_should(world: World, told: Told) -> Broken:
    """For each event a delivery for each webhook that wants it and may know, as the oracle says, and no other."""
    heard, _ = listen(told_plainly(told.reader))
    recorded = recorded_hearers(told.reader)
    for position in sorted(recorded.keys() | heard.keys()):
        if recorded.get(position) != heard.get(position):
            yield (
                f"event {position} is heard by {recorded.get(position)}, and should be by {heard.get(position)}",
                world.loop.now_s,
            )
