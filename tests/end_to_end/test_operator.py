"""The operator's socket: the same operations while `serve` runs, for its owner alone."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import msgspec
import pytest

import core.operator
from core.data_directory import Lock
from core.errors import InvalidInputError, LedgerBusyError, NotFoundError
from core.operations import deliveries, delivery_story, publish, tokens, users, webhooks
from core.operator import ask_serve
from core.operator_socket import SOCKET_FILE
from tests.end_to_end.place import ALLOW, DEADLINE_S, Place

MINE = webhooks.CreateWebhook("mine", "https://example.com/")


async def test_the_socket_is_its_owners_and_goes_with_serve(place):
    """Nobody else may open it, and a `serve` that has ended leaves none behind."""
    serving = await place.serve()
    mode = (place.data / SOCKET_FILE).lstat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert await serving.stop() == 0
    assert not (place.data / SOCKET_FILE).exists()


async def test_commands_do_the_same_while_serve_runs(place):
    """What is made over the socket is listed there at once, and still there when `serve` has ended."""
    serving = await place.serve(*ALLOW)
    made = await place.run("webhooks", "create", "mine", "http://127.0.0.1:9/", "--no-ssl", "--json")
    assert set(made.json) == {"id", "name", "url", "verifier", "secret"}
    during = await place.ask(webhooks.LIST, webhooks.ListWebhooks())
    assert await serving.stop() == 0
    after = await place.run("webhooks", "list", "--json")
    assert [one.id for one in during] == [made.json["id"]]
    assert after.json == msgspec.json.decode(msgspec.json.encode(during))


async def test_serve_decides_with_its_own_list_of_targets(place):
    """A running service refuses what it would not call, whatever the command allows."""
    await place.serve()
    refused = await place.run("webhooks", "create", "mine", "http://127.0.0.1:9/", "--no-ssl", *ALLOW)
    assert (refused.code, refused.out) == (2, "")
    assert "--allow-target 127.0.0.1/32" in refused.err


async def test_errors_are_the_same_on_both_ways(place):
    """An operation fails with the same class, text and limit over the socket as without `serve`."""
    asked = [
        (webhooks.SHOW, webhooks.ShowWebhook(7), NotFoundError),
        (delivery_story.SHOW, delivery_story.ShowDelivery(7), NotFoundError),
        (deliveries.LIST, deliveries.ListDeliveries(7), NotFoundError),
        (deliveries.LIST, deliveries.ListDeliveries(limit=0), InvalidInputError),
        (tokens.CREATE, tokens.CreateToken("king"), InvalidInputError),
        (publish.PUBLISH, publish.Publish("", []), InvalidInputError),
        (users.IMPORT, users.Import("x" * 101, []), InvalidInputError),
    ]
    await place.ask(tokens.CREATE, tokens.CreateToken("portal"))

    async def failures():
        found = []
        for operation, request, kind in asked:
            with pytest.raises(kind) as raised:
                await place.ask(operation, request)
            found.append((type(raised.value), str(raised.value), getattr(raised.value, "limit", None)))
        return found

    without = await failures()
    await place.serve()
    assert await failures() == without


async def test_what_a_killed_serve_leaves_is_in_nobodys_way(place):
    """A socket that nobody listens on is passed over by commands, and replaced by the next `serve`."""
    serving = await place.serve()
    serving.process.kill()
    await serving.process.wait()
    assert (place.data / SOCKET_FILE).is_socket()
    await place.ask(webhooks.CREATE, MINE)
    await place.serve()
    assert [one.name for one in await ask_serve(place.data, webhooks.LIST, webhooks.ListWebhooks())] == ["mine"]


async def test_a_command_waits_for_who_holds_the_ledger(place):
    """While somebody else holds the data directory and does not answer yet, a command waits, and then does its work."""
    place.data.mkdir()
    lock = Lock(place.data)
    asking = asyncio.create_task(place.ask(webhooks.CREATE, MINE))
    done, _ = await asyncio.wait((asking,), timeout=0.3)
    assert not done
    lock.close()
    async with asyncio.timeout(DEADLINE_S):
        assert (await asking).name == "mine"


async def test_a_command_does_not_wait_for_ever(place, monkeypatch):
    """Who holds the data directory without answering is named after a while."""
    monkeypatch.setattr(core.operator, "STARTING_S", 0.2)
    place.data.mkdir()
    lock = Lock(place.data)
    with pytest.raises(LedgerBusyError, match=rf"another process \(pid \d+\) holds {place.data}"):
        await place.ask(webhooks.CREATE, MINE)
    lock.close()


async def test_a_data_directory_may_have_a_long_path(tmp_path):
    """A path that no Unix socket's address could hold works all the same."""
    place = Place(tmp_path / ("d" * 120))
    try:
        serving = await place.serve()
        made = await place.ask(webhooks.CREATE, MINE)
        listed = await ask_serve(place.data, webhooks.LIST, webhooks.ListWebhooks())
        assert [one.id for one in listed] == [made.id]
        assert await serving.stop() == 0
        assert not (place.data / SOCKET_FILE).exists()
    finally:
        await place.close()


async def test_nobody_is_asked_over_a_socket_of_strangers(tmp_path):
    """Without a `serve`, asking it alone says so."""
    with pytest.raises(FileNotFoundError):
        await ask_serve(Path(tmp_path), webhooks.LIST, webhooks.ListWebhooks())
