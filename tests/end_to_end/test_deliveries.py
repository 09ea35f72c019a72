"""Deliveries for people, through real processes: found by any filter, told whole, sent again."""

from __future__ import annotations

import asyncio
import json

import pytest

from core.operations import deliveries
from tests.end_to_end.place import ALLOW, a_portal_event
from tests.end_to_end.test_way_of_an_event import publish


async def told(place, *words):
    """What a command prints for programs."""
    ran = await place.run("deliveries", *words, "--json")
    assert ran.code == 0, ran.err
    return ran.json


async def test_what_went_wrong_is_found_and_sent_again(place, receiver):
    """A receiver fails; what it missed is found by how it went, counted, and redelivered when it is well again."""
    serving = await place.serve(*ALLOW)
    webhook = (await place.webhook(f"{receiver.url}/a")).id
    await place.webhook(f"{receiver.url}/quiet", triggers=("room.created",))
    receiver.status = 503
    _, said = await publish(serving.url, await place.token(), [a_portal_event(f"e{n}") for n in range(3)])
    numbers = [one["position"] + 1 for one in said["events"]]
    for number in numbers:
        await place.until(number, "retrying")
    first = {(await receiver.next()).headers["webhook-id"] for _ in numbers}
    asked = ("--webhook", str(webhook), "--state", "retrying", "--status", "5xx", "--since", "1h")
    listed, counted, trial, refused = await asyncio.gather(
        told(place, "list", *asked),
        place.run("deliveries", "list", *asked, "--count"),
        place.run("deliveries", "redeliver", *asked, "--dry-run"),
        place.run("deliveries", "redeliver", *asked),
    )
    assert [one["id"] for one in listed] == numbers[::-1]
    assert counted.out == "3\n"
    assert "3 deliveries would be redelivered" in trial.out
    assert f"3 to webhook {webhook}: {', '.join(map(str, numbers))}" in trial.out
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    made = await told(place, "redeliver", *asked, "--yes")
    assert [one["of"] for one in made["redelivered"]] == numbers
    receiver.status = 200
    again = {one["number"]: "" for one in made["redelivered"]}
    while not all(again.values()):
        post = await receiver.next()
        number = json.loads(post.body)["event"]["id"]
        if number in again:
            again[number] = post.headers["webhook-id"]
    assert not first & set(again.values())
    for one in made["redelivered"]:
        await place.until(one["number"], "delivered")
    nothing = await told(place, "redeliver", *asked, "--before", str(made["before"]), "--yes")
    assert nothing["redelivered"] == []


async def test_a_story_leads_to_what_was_sent_again_and_back(place, receiver):
    """The first delivery tells of its redelivery, that of the first, and both of the same event and why it was sent."""
    serving = await place.serve(*ALLOW)
    await place.webhook(f"{receiver.url}/a", triggers=("file.created",), target="991")
    token = await place.token()
    _, said = await publish(serving.url, token, a_portal_event())
    number = said["events"][0]["position"] + 1
    before = await place.until(number, "delivered")
    ran = await place.run("deliveries", "redeliver", str(number), str(number + 1_000))
    assert ran.code == 1
    assert f"there is no delivery {number + 1_000}" in ran.out
    again = int(ran.out.splitlines()[1].split()[2])
    await place.until(again, "delivered")
    shown, old, new = await asyncio.gather(
        place.run("deliveries", "show", str(number)), told(place, "show", str(number)), told(place, "show", str(again))
    )
    assert (new["cause"], new["of"], new["by"], new["redeliveries"]) == ("redelivery", number, "operator", [])
    assert [(one["id"], one["state"], one["by"]) for one in old["redeliveries"]] == [(again, "delivered", "operator")]
    assert old["event"] == new["event"]
    assert old["event"]["source"] == ["http", token.partition(".")[0].removeprefix("hlt_")]
    because = ["it asks for file.created", "it is about 991, the webhook's target", "it belongs to the portal itself"]
    assert old["why"] == new["why"] == because
    assert (old["next_at"], old["webhook_state"], old["delivery"]) == (None, "enabled", before.delivery)
    bodies = [json.loads(one["steps"][0]["request"]["body"]) for one in (old, new)]
    assert bodies[0]["event"] == bodies[1]["event"] | {"id": number}
    assert all(one["steps"][0]["request"]["is_proven"] for one in (old, new))
    assert f"{again} delivered, asked for by operator" in shown.out


async def test_a_story_has_no_line_that_a_portal_wrote(place, receiver):
    """What portals say stays within its line, and steers no terminal."""
    serving = await place.serve(*ALLOW)
    await place.webhook(f"{receiver.url}/a")
    forged = a_portal_event("e\ndelivered   at once\x1b[2J", actor="me\nand\ryou", data={"id": "x\ny"})
    _, said = await publish(serving.url, await place.token(), [forged])
    number = said["events"][0]["position"] + 1
    await place.until(number, "delivered")
    shown = (await place.run("deliveries", "show", str(number))).out
    assert "id e\\ndelivered   at once\\x1b[2J" in shown
    assert "by me\\nand\\ryou" in shown
    assert not [line for line in shown.splitlines() if line.startswith(("delivered   at", "and"))]


@pytest.mark.parametrize("key", ["", "a b", "k" * 201, "é"])
async def test_what_cannot_be_a_key_is_no_key_for_a_redelivery(place, key):
    """An empty one most of all: a variable that was never set would have it sent again each time."""
    await place.webhook("https://example.com/")
    ran = await place.run("deliveries", "redeliver", "1", "--idempotency-key", key)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("hookledger: an idempotency key has 1 to 200 printable ASCII characters")


async def test_what_is_redelivered_without_serve_goes_out_at_its_next_start(place, receiver):
    """Nobody serves: the command writes to the ledger itself, and whoever serves next delivers."""
    serving = await place.serve(*ALLOW)
    await place.webhook(f"{receiver.url}/a")
    _, said = await publish(serving.url, await place.token(), a_portal_event())
    number = said["events"][0]["position"] + 1
    await place.until(number, "delivered")
    first = await receiver.next()
    await serving.stop()
    made = await told(place, "redeliver", "--event", "e1", "--yes")
    (one,) = made["redelivered"]
    assert one["of"] == number
    (waiting,) = await told(place, "list", "--state", "pending")
    assert (waiting["id"], waiting["redelivery_of"]) == (one["number"], number)
    assert waiting["due_for_ms"] >= 0
    await place.serve(*ALLOW)
    post = await receiver.next()
    sent, before = json.loads(post.body), json.loads(first.body)
    assert sent == before | {"event": before["event"] | {"id": one["number"]}}
    await place.until(one["number"], "delivered")


async def test_every_filter_finds_its_deliveries(place, receiver):
    """By trigger, entity, the portal's id, text, time and number, alone and together; what cannot be meant is said."""
    serving = await place.serve(*ALLOW)
    await place.webhook(f"{receiver.url}/a")
    events = [a_portal_event("e1"), a_portal_event("e2", "file.moved", data={"id": "x-1", "title": "Other.PDF"})]
    _, said = await publish(serving.url, await place.token(), events)
    first, second = [one["position"] + 1 for one in said["events"]]
    for number in (first, second):
        await place.until(number, "delivered")
    asked = [
        ({"trigger": "file.moved"}, [second]),
        ({"target": "991"}, [first]),
        ({"target": "x-1"}, [second]),
        ({"event": "e1"}, [first]),
        ({"event": "e3"}, []),
        ({"text": "other.pdf"}, [second]),
        ({"text": "NAÏVE"}, [first]),
        ({"statuses": ("200", "404")}, [second, first]),
        ({"statuses": ("none",)}, []),
        ({"until_ms": 0}, []),
        ({"before": second, "tenant": "1"}, [first]),
    ]
    for filters, numbers in asked:
        found = await place.ask(deliveries.LIST, deliveries.ListDeliveries(**filters))
        assert (filters, [one.id for one in found.deliveries]) == (filters, numbers)
        counted = await place.ask(deliveries.COUNT, deliveries.CountDeliveries(**filters))
        assert (counted.count, counted.looked_to) == (len(numbers), None)
    words = ("--trigger", "file.moved", "--status", "2xx", "--status", "404", "--state", "delivered", "--since", "1h")
    assert [one["id"] for one in await told(place, "list", *words, "--until", "2100-01-01T00:00:00Z")] == [second]
    assert [one["id"] for one in await told(place, "list", "--since", "2020-01-01", "--until", "2100-01-01")] == [
        second,
        first,
    ]
    assert await told(place, "list", "--since", "2100-01-01") == []
    wrong = {
        ("--trigger", "file.move"): "what comes near: file.moved",
        ("--status", "6xx"): "a group like 4xx",
        ("--since", "yesterday"): "like 90s, 2h, 3d",
        ("--since", "2026-02-30"): "like 90s, 2h, 3d",
        ("--webhook", "mine"): "'mine' is no number: `hookledger webhooks list` says the number of each webhook",
        ("--state", "lost"): "'failed'",
        ("--text", ""): "say 1 to 200",
    }
    refused = await asyncio.gather(*[place.run("deliveries", "list", *words) for words in wrong])
    for (words, says), ran in zip(wrong.items(), refused, strict=True):
        assert (words, ran.code, ran.out) == (words, 2, "")
        assert says in ran.err


async def test_a_terminal_of_80_columns_shows_all_of_it(place, receiver):
    """Lists and stories fit; a redelivery of many asks first, and does nothing when it is told not to."""
    serving = await place.serve(*ALLOW)
    made = await place.webhook(f"{receiver.url}/a/path/that/is/not/short/at/all/and/goes/on/beyond/the/end/of/the/line")
    _, said = await publish(serving.url, await place.token(), a_portal_event())
    number = said["events"][0]["position"] + 1
    await place.until(number, "delivered")
    listed, story, declined = await asyncio.gather(
        place.on_terminal("deliveries", "list"),
        place.on_terminal("deliveries", "show", str(number)),
        place.on_terminal("deliveries", "redeliver", "--tenant", "1", typed="n\n"),
    )
    for ran in (listed, story, declined):
        assert ran.code == 0, ran.out
        assert max(map(len, ran.out.splitlines())) <= 80
    assert listed.out.splitlines()[1].split()[:5] == [str(number), str(made.id), "file.created", "delivered", "1×"]
    assert "Redeliver 1 delivery?" in declined.out
    assert (await place.ask(deliveries.COUNT, deliveries.CountDeliveries())).count == 1
    agreed = await place.on_terminal("deliveries", "redeliver", "--tenant", "1", typed="y\n")
    assert "1 delivery redelivered" in agreed.out
    assert (await place.ask(deliveries.COUNT, deliveries.CountDeliveries())).count == 2
