"""A command said again under its key is not done again, and is answered as it was (core/once.py)."""

from __future__ import annotations

import asyncio
import sqlite3
from random import Random

import msgspec
import pytest

from core.errors import ConflictError, HookledgerError, InvalidInputError, NotFoundError, OverloadedError
from core.model import command
from core.operations import tokens, webhook_changes, webhooks
from core.operations.operation import answer
from tests.builders import BusyDisk, open_office

URL = "https://receiver.example/"
MINE = webhooks.CreateWebhook("mine", URL)


@pytest.fixture(name="office")
async def _office(tmp_path):
    office = open_office(tmp_path / "data")
    await office.start()
    yield office
    await office.close()


def recorded(office):
    """All recorded events after the catalogue's."""
    return office.reader.after(1)


async def test_the_same_key_again_answers_the_first_outcome(office):
    """The second time nothing is recorded, and the answer is the first one's without the secret, with a note."""
    first = await answer(office, webhooks.CREATE, MINE, "k")
    before = recorded(office)
    again = await answer(office, webhooks.CREATE, MINE, "k")
    assert (again.id, again.name, again.url) == (first.id, first.name, first.url)
    assert (again.secret, again.verifier) == (None, None)
    assert "--new-secret" in again.note
    assert (first.secret is not None, first.note) == (True, None)
    assert recorded(office) == before
    assert [type(one.event) for one in before] == [command.Done, type(before[1].event)]


async def test_without_a_key_it_is_done_again(office):
    """Two commands that look alike are two, unless somebody says that they are one; no key leaves no trace."""
    first, second = [await answer(office, webhooks.CREATE, MINE) for _ in range(2)]
    assert first.id != second.id
    assert [one for one in recorded(office) if isinstance(one.event, command.Done)] == []


OTHER = {
    "a field": (webhooks.CREATE, webhooks.CreateWebhook("theirs", URL)),
    "a field that was left out": (webhooks.CREATE, webhooks.CreateWebhook("mine", URL, enabled=False)),
    "a secret": (webhooks.CREATE, webhooks.CreateWebhook("mine", URL, secret="correct-horse")),
    "an operation": (tokens.CREATE, tokens.CreateToken("portal")),
}


@pytest.mark.parametrize("what", OTHER)
async def test_a_key_stands_for_one_question(office, what):
    """Whatever else is asked under a key that is taken is refused, and nothing of it is recorded."""
    await answer(office, webhooks.CREATE, MINE, "k")
    before = recorded(office)
    with pytest.raises(ConflictError, match=r"the key 'k' stands for something else, webhooks\.create of 20"):
        await answer(office, *OTHER[what], "k")
    assert recorded(office) == before


async def test_what_is_left_as_it_is_by_default_asks_the_same(office):
    """A question is what it means: a field said as it would be by default anyway makes no other question of it."""
    first = await answer(office, webhooks.CREATE, MINE, "k")
    spelt = webhooks.CreateWebhook("mine", URL, (), None, None, "1", None, True, True, None)
    assert (await answer(office, webhooks.CREATE, spelt, "k")).id == first.id


async def test_many_at_the_same_time_are_one(office):
    """Of many who say it at the same moment one makes it, and all are told of that one; its secret is shown once."""
    with BusyDisk(office):
        asking = [asyncio.create_task(answer(office, webhooks.CREATE, MINE, "k")) for _ in range(20)]
    made = await asyncio.gather(*asking)
    assert len({one.id for one in made}) == 1
    assert len([one for one in made if one.secret is not None]) == 1
    assert len(office.webhooks.all()) == 1


async def test_two_questions_at_the_same_time_cannot_both_have_the_key(office):
    """Who comes second to a key with something else is refused, also while the first is still on its way."""
    asked = [webhooks.CreateWebhook(name, URL) for name in ("a", "b", "c")]
    told = await asyncio.gather(*[answer(office, webhooks.CREATE, one, "k") for one in asked], return_exceptions=True)
    assert sum(isinstance(one, ConflictError) for one in told) == 2
    assert len(office.webhooks.all()) == 1


async def test_what_is_gone_is_gone_once(office):
    """Deleted again under its key, a webhook was deleted; under another, there is none."""
    made = await answer(office, webhooks.CREATE, MINE)
    asked = webhook_changes.DeleteWebhooks((made.id,))
    told = await asyncio.gather(*[answer(office, webhook_changes.DELETE, asked, "k") for _ in range(5)])
    told.append(await answer(office, webhook_changes.DELETE, asked, "k"))
    assert {(one.id, one.name, one.is_changed) for (one,) in told} == {(made.id, "mine", True)}
    with pytest.raises(NotFoundError):
        await answer(office, webhook_changes.DELETE, asked, "other")


async def test_a_change_is_told_as_it_was(office):
    """Said again after others changed the same field, a change is answered with what it changed, and not done again."""
    made = await answer(office, webhooks.CREATE, MINE)
    asked = webhook_changes.ChangeWebhook(id=made.id, name="b", secret=None)
    first = await answer(office, webhook_changes.CHANGE, asked, "k")
    await answer(office, webhook_changes.CHANGE, webhook_changes.ChangeWebhook(id=made.id, name="c"))
    again = await answer(office, webhook_changes.CHANGE, asked, "k")
    assert [(one.field, one.before, one.after) for one in again.changes] == [("name", "mine", "b")]
    assert first.changes == again.changes
    assert (first.is_secret_reset, again.is_secret_reset, again.secret) == (True, True, None)
    assert office.webhooks.get(made.id).name == "c"


async def test_what_records_nothing_takes_no_key(office):
    """A command that finds all as it is wanted leaves its key free, and may do something under it later."""
    made = await answer(office, webhooks.CREATE, MINE)
    asked = webhook_changes.EnableWebhooks((made.id,))
    before = recorded(office)
    assert [one.is_changed for one in await answer(office, webhook_changes.ENABLE, asked, "k")] == [False]
    assert recorded(office) == before
    await answer(office, webhook_changes.DISABLE, webhook_changes.DisableWebhooks((made.id,)))
    assert [one.is_changed for one in await answer(office, webhook_changes.ENABLE, asked, "k")] == [True]


async def test_a_token_is_made_once(office):
    """Said again, a token's id is told and the token is not; revoking says the same twice."""
    asked = tokens.CreateToken("admin", "anna")
    first, again = [await answer(office, tokens.CREATE, asked, "k") for _ in range(2)]
    assert (again.id, again.token) == (first.id, None)
    assert f"token revoke {first.id}" in again.note
    revoke = tokens.RevokeTokens((first.id, first.id))
    told = [await answer(office, tokens.REVOKE, revoke, "r") for _ in range(2)]
    assert told == [[tokens.RevokedToken(first.id, True)]] * 2


async def test_a_key_outlives_the_process(tmp_path):
    """What was done before a restart is known after it by its key."""
    office = open_office(tmp_path / "data")
    await office.start()
    first = await answer(office, webhooks.CREATE, MINE, "k")
    await office.close()
    office = open_office(tmp_path / "data")
    await office.start()
    assert (await answer(office, webhooks.CREATE, MINE, "k")).id == first.id
    await office.close()


async def test_a_commit_that_fails_takes_no_key(office):
    """Where the disk refuses, nothing was done: said again under its key, it is."""
    office.recorder.writing.execute("PRAGMA query_only=ON")
    with pytest.raises(OverloadedError):
        await answer(office, webhooks.CREATE, MINE, "k")
    office.recorder.writing.execute("PRAGMA query_only=OFF")
    assert (await answer(office, webhooks.CREATE, MINE, "k")).secret is not None


async def test_a_commit_whose_answer_is_lost_was_done(office):
    """Where the ledger says no after it had said yes, the key tells that it was done, and nobody does it again."""
    append = office.appender.append

    def answers_too_late(units, now_ms):
        append(units, now_ms)
        raise sqlite3.OperationalError("disk I/O error")

    office.appender.append = answers_too_late
    told = await answer(office, webhooks.CREATE, MINE, "k")
    assert (told.name, told.secret) == ("mine", None)


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "é", "k" * 201, "\x7f"])
async def test_not_everything_is_a_key(office, key):
    """A key has 1 to 200 printable characters that may stand in a header."""
    with pytest.raises(InvalidInputError, match="1 to 200 printable") as raised:
        await answer(office, webhooks.CREATE, MINE, key)
    assert raised.value.limit == "IDEMPOTENCY_KEY_CHARS_MAX"
    await answer(office, webhooks.CREATE, MINE, "k" * 200)


async def test_who_only_looks_needs_no_key(office):
    """An operation that records nothing answers anew each time, whatever key it is given."""
    assert await answer(office, webhooks.LIST, webhooks.ListWebhooks(), "k") == []
    await answer(office, webhooks.CREATE, MINE, "k")
    assert len(await answer(office, webhooks.LIST, webhooks.ListWebhooks(), "k")) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_any_commands_in_any_order(office, seed):
    """Whatever is said under few keys: each key stands for the first question that was recorded under it, which is
    never done again, and what is done without it, or refused, is as it would be without keys."""
    random = Random(seed)
    plain: dict[str, tuple[object, list]] = {}
    names = ["a", "b"]
    ids = [(await answer(office, webhooks.CREATE, MINE)).id for _ in range(2)]
    for _ in range(120):
        operation, request = random.choice(
            [
                (webhooks.CREATE, webhooks.CreateWebhook(random.choice(names), URL)),
                (
                    webhook_changes.CHANGE,
                    webhook_changes.ChangeWebhook(id=random.choice(ids), name=random.choice(names)),
                ),
                (webhook_changes.ENABLE, webhook_changes.EnableWebhooks((random.choice(ids),))),
                (webhook_changes.DISABLE, webhook_changes.DisableWebhooks((ids[0], random.choice(ids)))),
                (webhook_changes.DELETE, webhook_changes.DeleteWebhooks((random.choice(ids),))),
            ]
        )
        key = f"k{random.randrange(12)}"
        question = (operation.name, msgspec.json.encode(request))
        head = office.writer.head
        try:
            told = told_of(await answer(office, operation, request, key))
        except HookledgerError as error:
            told = type(error)
        if key not in plain:
            if office.writer.head > head:
                plain[key] = (question, told)
                ids += [told["id"]] if operation is webhooks.CREATE else []
            else:
                assert told is NotFoundError or not is_changed(told)
            continue
        assert office.writer.head == head
        assert told == (plain[key][1] if plain[key][0] == question else ConflictError)
    assert len(plain) > 8


def told_of(answered):
    """What an answer says that is there the second time as well."""
    told = msgspec.to_builtins(answered)
    several = told if isinstance(told, list) else [told]
    kept = [{name: one.get(name) for name in ("id", "changes", "changed", "url")} for one in several]
    return kept if isinstance(told, list) else kept[0]


def is_changed(told):
    several = told if isinstance(told, list) else [told]
    return any(one["changed"] or one["changes"] for one in several)
