"""The whole way, through real processes: published over HTTP, delivered, told from the ledger."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from core.operations import deliveries
from core.wire.signature import Signer
from core.wire.verdict import docspace_verdict, standard_verdict
from tests.end_to_end.place import ALLOW, a_portal_event


async def publish(url, token, events):
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{url}/api/ledger/events", json=events) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def test_an_event_is_delivered_listed_and_told(place, receiver):
    """What is published arrives signed, is listed as delivered, and is told again with the very bytes sent."""
    serving = await place.serve(*ALLOW)
    words = ("webhooks", "create", "mine", f"{receiver.url}/hook", "--no-ssl", "--trigger", "file.created", "--json")
    made = (await place.run(*words)).json
    status, said = await publish(serving.url, await place.token(), a_portal_event())
    assert (status, said["accepted"], said["events"][0]["deliveries"]) == (200, 1, 1)

    post = await receiver.next()
    signers = [Signer(made["secret"])]
    id, timestamp = post.headers["webhook-id"], post.headers["webhook-timestamp"]
    assert docspace_verdict(signers, post.headers["x-docspace-signature-256"], post.body) == "verified"
    signature = post.headers["webhook-signature"]
    assert standard_verdict(signers, id, timestamp, signature, post.body, None) == "verified"

    number = json.loads(post.body)["event"]["id"]
    await place.until(number, "delivered")
    (one,) = (await place.ask(deliveries.LIST, deliveries.ListDeliveries())).deliveries
    assert (one.id, one.webhook, one.state, one.attempts) == (number, made["id"], "delivered", 1)
    shown, as_json = await asyncio.gather(
        place.run("deliveries", "show", str(number)), place.run("deliveries", "show", str(number), "--json")
    )
    told = as_json.json
    (step,) = told["steps"]
    assert step["request"]["body"].encode() == post.body
    assert step["request"]["is_proven"]
    sent = dict(step["request"]["headers"])
    assert {name: post.headers[name] for name in sent} == sent
    assert (step["status"], step["body"], told["event"]["data"]) == (200, "thank you", a_portal_event())
    assert f"delivery {number}  delivered after 1 attempt" in shown.out
    assert post.body.decode() in shown.out


async def test_a_webhook_made_without_serve_hears_of_events_after_the_next_start(place, receiver):
    """Commands write to the same ledger: what they made is there when the service starts, and so is who hears what."""
    await place.run("webhooks", "create", "mine", f"{receiver.url}/mine", "--no-ssl", *ALLOW)
    await place.webhook(f"{receiver.url}/off", enabled=False)
    token = await place.token()
    serving = await place.serve(*ALLOW)
    status, said = await publish(serving.url, token, [a_portal_event(), a_portal_event("e2", "kite.flown")])
    assert (status, [one["deliveries"] for one in said["events"]]) == (200, [1, 0])
    assert (await receiver.next()).path == "/mine"
    number = said["events"][0]["position"] + 1
    await place.until(number, "delivered")
    assert await serving.stop() == 0
    assert [one.id for one in (await place.ask(deliveries.LIST, deliveries.ListDeliveries())).deliveries] == [number]


async def test_a_list_goes_back_page_by_page(place, receiver):
    """Deliveries are listed newest first, of one webhook where asked, and the next page begins before the last."""
    serving = await place.serve(*ALLOW)
    made = await place.webhook(f"{receiver.url}/a")
    await place.webhook(f"{receiver.url}/b")
    await publish(serving.url, await place.token(), [a_portal_event(f"e{n}") for n in range(3)])
    words = ("deliveries", "list", "--webhook", str(made.id))
    whole = [one["id"] for one in (await place.run(*words, "--json")).json]
    assert whole == sorted(whole, reverse=True)
    assert len(whole) == 3
    page = (await place.run(*words, "--limit", "2", "--before", str(whole[0]))).out.splitlines()
    assert [line.split()[0] for line in page] == ["id", *map(str, whole[1:])]


async def test_only_portals_may_publish(place):
    """A token of any other role may not, one that is none is not known, and only a portal's is taken."""
    serving = await place.serve()
    tokens = {role: await place.token(role) for role in ("admin", "room-admin", "user", "guest", "portal")}
    tokens |= {"nobody": None, "garbage": "hlt_garbage", "stranger": f"hlt_{'0' * 32}.{'A' * 43}"}
    answered = {who: await publish(serving.url, token, a_portal_event()) for who, token in tokens.items()}
    assert {who: status for who, (status, _) in answered.items()} == {
        **dict.fromkeys(("admin", "room-admin", "user", "guest"), 403),
        **dict.fromkeys(("nobody", "garbage", "stranger"), 401),
        "portal": 200,
    }
    assert {who: said.get("status", 200) for who, (_, said) in answered.items()} == {
        who: status for who, (status, _) in answered.items()
    }
