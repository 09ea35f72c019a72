"""`hookledger webhooks` and `hookledger token`: changed, switched, deleted, revoked, as people type and read it."""

from __future__ import annotations

import asyncio

import aiohttp

from core.operations import deliveries, webhooks
from core.wire.signature import Signer
from core.wire.verdict import docspace_verdict
from tests.end_to_end.place import ALLOW, DEADLINE_S, a_portal_event
from tests.end_to_end.terminal import on_a_terminal

URL = "https://example.com/"


async def test_a_change_says_what_became_what(place):
    """Each field that is different now is one line, from and to; what is so already is said, and not recorded."""
    made = await place.ask(webhooks.CREATE, webhooks.CreateWebhook("mine", URL))
    words = ("webhooks", "change", str(made.id), "--name", "yours", "--trigger", "file.created", "--target", "991")
    changed = await place.run(*words, "--schedule", "5,60,300")
    assert (changed.code, changed.err) == (0, "")
    lines = [line.split(maxsplit=1) for line in changed.out.splitlines()]
    assert lines == [
        ["webhook", f"{made.id} yours"],
        ["name", "mine → yours"],
        ["triggers", "everything → file.created"],
        ["target", "any → 991"],
        ["schedule", "the service's own → 5, 60, 300 s after each failure"],
    ]
    again = await place.run(*words)
    assert (again.code, again.out) == (0, f"Webhook {made.id} is so already: nothing is recorded.\n")
    back = ("--all-triggers", "--no-target", "--default-schedule", "--no-owner", "--json")
    told = (await place.run("webhooks", "change", str(made.id), *back)).json
    assert told == {
        "id": made.id,
        "name": "yours",
        "changes": [
            {"field": "triggers", "from": ["file.created"], "to": []},
            {"field": "target", "from": "991", "to": None},
            {"field": "schedule_s", "from": [5, 60, 300], "to": None},
        ],
        "secret_reset": False,
    }


async def test_a_new_secret_signs_from_then_on(place, receiver):
    """A secret that was reset is shown once, signs the next request, and is not in what is printed later."""
    made = await place.webhook(receiver.url)
    serving = await place.serve(*ALLOW)
    reset = (await place.run("webhooks", "change", str(made.id), "--new-secret", "--json")).json
    assert reset["secret_reset"]
    assert reset["secret"] not in ("", made.secret)
    shown = await place.run("webhooks", "show", str(made.id))
    assert reset["secret"] not in shown.out
    await publish(serving, await place.token(), "e1")
    post = await receiver.next()
    for secret, verdict in [(reset["secret"], "verified"), (made.secret, "wrong")]:
        assert docspace_verdict([Signer(secret)], post.headers["x-docspace-signature-256"], post.body) == verdict
    theirs = await place.run("webhooks", "change", str(made.id), "--secret", "-", stdin="correct-horse\n")
    assert "was reset" in theirs.out
    assert "correct-horse" not in theirs.out + theirs.err


async def publish(serving, token, id):
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(serving.url, headers=headers) as session,
        session.post("/api/ledger/events", json=a_portal_event(id)) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_schedule_of_its_own_is_followed(place, receiver):
    """A webhook made with one retry after a second is failed for good after it, and one without retries at once."""
    words = ("--no-ssl", *ALLOW, "--json")
    closed = "http://127.0.0.1:9/"
    ids = [
        (await place.run("webhooks", "create", "w", closed, "--schedule", schedule, *words)).json["id"]
        for schedule in ("1", "none")
    ]
    serving = await place.serve(*ALLOW)
    await publish(serving, await place.token(), "e1")
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = (await place.ask(deliveries.LIST, deliveries.ListDeliveries())).deliveries
            if [one.state for one in found] == ["failed", "failed"]:
                break
    assert {one.webhook: one.attempts for one in found} == {ids[0]: 2, ids[1]: 1}


async def test_who_switches_a_webhook_hears_of_its_deliveries(place):
    """Disabling says what is cancelled, enabling what stays so; nothing is sent of what happened in between."""
    made = await place.webhook("http://127.0.0.1:9/")
    other = await place.webhook("http://127.0.0.1:9/", tenant="2")
    serving = await place.serve(*ALLOW)
    token = await place.token()
    await publish(serving, token, "e1")
    (one,) = (await place.ask(deliveries.LIST, deliveries.ListDeliveries())).deliveries
    await place.until(one.id, "retrying")
    disabled = await place.run("webhooks", "disable", str(made.id), str(other.id))
    assert disabled.out.splitlines() == [
        f"webhook {made.id} mine is disabled; 1 delivery was still waiting, and is cancelled",
        f"webhook {other.id} mine is disabled",
    ]
    await place.until(one.id, "cancelled")
    _, said = await publish(serving, token, "e2")
    assert said["events"][0]["deliveries"] == 0
    enabled = await place.run("webhooks", "enable", str(made.id))
    assert enabled.out == f"webhook {made.id} mine is enabled; 1 delivery was cancelled meanwhile, and stays so\n"
    assert "is not sent" in enabled.err
    again = await place.run("webhooks", "enable", str(made.id))
    assert (again.out, again.err) == (f"webhook {made.id} mine is enabled already\n", "")
    as_json = (await place.run("webhooks", "disable", str(other.id), "--json")).json
    assert as_json == [{"id": other.id, "name": "mine", "changed": False, "cancelled": None, "waiting": None}]


async def test_all_are_switched_or_none(place):
    """One number that names nothing leaves all the others as they are, with exit code 1."""
    made = await place.ask(webhooks.CREATE, webhooks.CreateWebhook("mine", URL))
    ran = await place.run("webhooks", "disable", str(made.id), "99")
    assert (ran.code, ran.out, ran.err) == (1, "", "hookledger: there is no webhook 99\n")
    (one,) = await place.ask(webhooks.LIST, webhooks.ListWebhooks())
    assert one.enabled


async def test_deleting_needs_a_yes(place):
    """Where nobody can be asked it is said with the command; on a terminal it is asked, with what would be deleted."""
    first, second = [await place.ask(webhooks.CREATE, webhooks.CreateWebhook(name, URL)) for name in ("a", "b")]
    refused = await place.run("webhooks", "delete", str(first.id))
    assert (refused.code, refused.out) == (2, "")
    assert "say --yes" in refused.err
    no = await on_a_terminal(place, "webhooks", "delete", str(first.id), answers=[("?", "n")])
    assert no.code == 1
    assert f"webhook {first.id}  a  {URL}" in no.out
    assert "nothing was deleted" in no.out
    assert len(await place.ask(webhooks.LIST, webhooks.ListWebhooks())) == 2
    yes = await on_a_terminal(place, "webhooks", "delete", str(first.id), answers=[("?", "y")])
    assert yes.code == 0
    done = await place.run("webhooks", "delete", str(second.id), "--yes")
    assert (done.code, done.out) == (0, f"webhook {second.id} b is deleted\n")
    assert await place.ask(webhooks.LIST, webhooks.ListWebhooks()) == []


async def test_a_revoked_token_is_refused(place):
    """A token is listed without itself, revoked by its id or by itself, and answered 401 from then on."""
    leaked, kept = [await place.token() for _ in range(2)]
    serving = await place.serve()
    assert (await publish(serving, leaked, "e1"))[0] == 200
    table = (await place.run("token", "list")).out
    ids = [text.removeprefix("hlt_").partition(".")[0] for text in (leaked, kept)]
    assert [line.split()[0] for line in table.splitlines()] == ["id", *ids]
    assert leaked.partition(".")[2] not in table
    revoked = await place.run("token", "revoke", leaked)
    assert (revoked.code, revoked.out) == (0, f"token {ids[0]} is revoked\n")
    assert (await place.run("token", "revoke", ids[0])).out == f"token {ids[0]} is revoked already\n"
    assert (await publish(serving, leaked, "e2"))[0] == 401
    assert (await publish(serving, kept, "e2"))[0] == 200
    listed = (await place.run("token", "list", "--json")).json
    assert [(one["id"], one["revoked"]) for one in listed] == [(ids[0], True), (ids[1], False)]
    unknown = await place.run("token", "revoke", "hlt_nothing.secret")
    assert (unknown.code, "nothing" in unknown.err, "token list" in unknown.err) == (1, False, True)


WRONGLY = (
    (("webhooks", "change", "1"), "say what to change"),
    (("webhooks", "change", "1", "--target", "7", "--no-target"), "--target or --no-target, not both"),
    (("webhooks", "change", "1", "--trigger", "file.created", "--all-triggers"), "--trigger or --all-triggers"),
    (("webhooks", "change", "1", "--schedule", "soon"), "like 5,60,300"),
    (("webhooks", "change", "1", "--secret", "hunter22"), "--secret -"),
    (("webhooks", "enable"), "Missing argument 'ID...'"),
    (("webhooks", "disable", "seven"), "'seven' is no number"),
    (("webhooks", "create", "x", "http://example.com/"), "say --no-ssl"),
    (("token", "revoke"), "Missing argument 'ID...'"),
    *(
        (("webhooks", verb, "mine"), "'mine' is no number: `hookledger webhooks list` says the number of each webhook")
        for verb in ("show", "change", "enable", "disable", "delete")
    ),
    *(
        (("deliveries", verb, "x"), "'x' is no number: `hookledger deliveries list` says the number of each delivery")
        for verb in ("show", "redeliver")
    ),
    (
        ("deliveries", "redeliver", "1", "--webhook", "3"),
        "numbers and filters do not go together: name one or the other",
    ),
    (("webhooks", "sho", "7"), "No such command 'sho'. Did you mean 'show'? See `hookledger webhooks --help`"),
)


async def test_what_was_said_wrongly_is_one_line(place):
    """Each is told in one line that begins with the command's name, with exit code 2."""
    runs = await asyncio.gather(*[place.run(*words) for words, _ in WRONGLY])
    for (words, says), ran in zip(WRONGLY, runs, strict=True):
        assert (words, ran.code, ran.out, ran.err.count("\n")) == (words, 2, "", 1)
        assert ran.err.startswith("hookledger: ")
        assert says in ran.err
        assert "hunter22" not in ran.err
