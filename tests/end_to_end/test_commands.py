"""The commands without `serve`: they open the ledger themselves."""

from __future__ import annotations

import asyncio
import base64

from core.operations import webhooks
from core.wire.signature import verifier
from tests.end_to_end.place import ALLOW

HERE = "http://127.0.0.1:9/hook"


async def test_a_token_stands_alone_or_as_json(place, tmp_path):
    """Standard output is the token and nothing else, or one object with exactly `id` and `token`."""
    plain, for_programs = await asyncio.gather(
        place.run("token", "create", "--role", "portal"),
        place.run("token", "create", "--role", "admin", "--user", "anna", "--json", "--data", str(tmp_path / "other")),
    )
    assert (plain.code, plain.out[:4], plain.out.count("\n")) == (0, "hlt_", 1)
    assert "not shown again" in plain.err
    made = for_programs.json
    assert set(made) == {"id", "token"}
    assert made["token"].startswith(f"hlt_{made['id']}.")


async def test_a_webhook_of_ours_shows_its_secret_once(place):
    """Whoever lets us make the secret is given it at creation, with the verifiers' form, and never again."""
    made = (await place.run("webhooks", "create", "mine", HERE, "--no-ssl", *ALLOW, "--json")).json
    assert set(made) == {"id", "name", "url", "verifier", "secret"}
    assert made["verifier"] == verifier(made["secret"])
    shown = await place.run("webhooks", "show", str(made["id"]))
    assert "mine" in shown.out
    assert made["secret"] not in shown.out


async def test_a_secret_of_theirs_comes_over_standard_input(place):
    """`--secret -` takes a line of standard input, gives back only the verifiers' form of it, and no copy."""
    words = ("webhooks", "create", "theirs", HERE, "--no-ssl", *ALLOW)
    made = (await place.run(*words, "--secret", "-", "--json", stdin="correct-horse\n")).json
    assert set(made) == {"id", "name", "url", "verifier"}
    assert base64.b64decode(made["verifier"].removeprefix("whsec_")) == b"correct-horse"


async def test_what_a_webhook_was_told_to_be_is_listed(place):
    """Triggers in the order they are sent, target, owner, tenant and whether it is on come back from the ledger."""
    words = ("--trigger", "file.updated", "--trigger", "file.created", "--target", "991", "--owner", "anna")
    created = await place.run(
        "webhooks", "create", "picky", "https://example.com/", *words, "--tenant", "7", "--disabled"
    )
    assert created.code == 0, created.err
    (one,) = await place.ask(webhooks.LIST, webhooks.ListWebhooks("7"))
    assert one.triggers == ("file.created", "file.updated")
    assert (one.target, one.owner, one.tenant, one.enabled, one.ssl) == ("991", "anna", "7", False, True)
    table = (await place.run("webhooks", "list")).out.splitlines()
    assert [line.split()[0] for line in table] == ["id", str(one.id)]
    assert await place.ask(webhooks.LIST, webhooks.ListWebhooks("8")) == []


REFUSED = (
    (("webhooks", "create", "x", HERE, "--no-ssl"), 2, "--allow-target 127.0.0.1/32"),
    (("webhooks", "create", "x", "https://example.com/", "--trigger", "file.create"), 2, "near: file.created"),
    (("webhooks", "create", "x", "https://example.com/", "--secret", "hunter22"), 2, "--secret -"),
    (("webhooks", "create", "x", "https://example.com/", "--allow-target", "here"), 2, "192.168.1.0/24"),
    (("token", "create", "--role", "user"), 2, "--user ID"),
    (("deliveries", "list"), 1, "no ledger in"),
    (("rebuild",), 1, "no ledger in"),
)


async def test_what_cannot_be_done_says_what_to_do(place, tmp_path):
    """Each refusal is text for people that names the way out, with the exit code of its kind and no traceback."""
    runs = [place.run(*words, "--data", str(tmp_path / str(n))) for n, (words, _, _) in enumerate(REFUSED)]
    for (words, code, says), ran in zip(REFUSED, await asyncio.gather(*runs), strict=True):
        assert (words, ran.code, ran.out) == (words, code, "")
        assert says in ran.err
        assert "Traceback" not in ran.err
        assert "hunter22" not in ran.err


async def test_what_is_not_there_is_said_so(place):
    """A number that names nothing ends with exit code 1, and one line."""
    await place.token()
    ran = await place.run("deliveries", "show", "1")
    assert (ran.code, ran.out, ran.err) == (1, "", "hookledger: there is no delivery 1\n")


async def test_the_ledger_is_found_by_flag_or_environment(place, tmp_path):
    """`--data` wins over HOOKLEDGER_DATA, and either says which ledger."""
    other = tmp_path / "other"
    await place.run("webhooks", "create", "mine", "https://example.com/", "--data", str(other))
    assert not place.data.exists()
    place.environment["HOOKLEDGER_DATA"] = str(other)
    assert [one["name"] for one in (await place.run("webhooks", "list", "--json")).json] == ["mine"]
