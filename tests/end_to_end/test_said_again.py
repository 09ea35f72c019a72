"""A command that is typed again, or whose answer never came, acts once: with `serve`, without, and after a kill."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from core.errors import HookledgerError
from core.ledger.store import Place
from core.limits import ASK_TRIES_MAX
from core.operations import tokens, webhooks
from core.operator import Ledger, ask, ask_serve
from core.operator_socket import SOCKET_FILE, post
from delivery.url_check import url_check_allowing
from tests.end_to_end.place import DEADLINE_S

URL = "https://example.com/"
MINE = webhooks.CreateWebhook("mine", URL)


class Between:
    """Sits where commands look for `serve`, hands each question on to it, and drops some of the answers."""

    def __init__(self, data, drops, *, kills=None):
        self._socket, self._behind = data / SOCKET_FILE, data / "behind.sock"
        self._drops, self._kills = iter(drops), kills
        self.keys = []

    async def __aenter__(self):
        self._socket.rename(self._behind)
        self._server = await asyncio.start_unix_server(self._pass_on, self._socket)
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _pass_on(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
        self.keys.append(lines.get("Idempotency-Key"))
        question = head + await reader.readexactly(int(lines["Content-Length"]))
        drop = next(self._drops)
        if drop == "unasked":
            writer.transport.abort()
            return
        its_reader, its_writer = await asyncio.open_unix_connection(self._behind)
        its_writer.write(question)
        answer = await its_reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        its_writer.close()
        if self._kills is not None:
            self._kills.process.kill()
            await self._kills.process.wait()
            self._socket.unlink()
        if drop == "half":
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
        elif drop is None:
            writer.write(answer)
        writer.close() if drop != "whole" else writer.transport.abort()


async def test_the_same_key_acts_once_with_and_without_serve(place):
    """Typed twice with one key, before, while and after `serve` runs, it is one webhook, and one outcome."""
    words = ("webhooks", "create", "mine", URL, "--idempotency-key", "deploy-7", "--json")
    first = (await place.run(*words)).json
    serving = await place.serve()
    during = await place.run(*words)
    assert await serving.stop() == 0
    after = await place.run(*words)
    for again in (during, after):
        assert again.code == 0
        assert {name: again.json[name] for name in ("id", "name", "url")} == {
            name: first[name] for name in ("id", "name", "url")
        }
        assert set(again.json) == {"id", "name", "url", "note"}
        assert "--new-secret" in again.err
    assert len(await place.ask(webhooks.LIST, webhooks.ListWebhooks())) == 1


async def test_a_key_that_is_taken_is_refused_for_anything_else(place):
    """With exit code 1, one line, and nothing recorded; over the socket in the same words as without it."""
    await place.run("webhooks", "create", "mine", URL, "--idempotency-key", "k")
    refused = [await place.run("token", "create", "--role", "portal", "--idempotency-key", "k")]
    serving = await place.serve()
    refused.append(await place.run("webhooks", "create", "other", URL, "--idempotency-key", "k"))
    assert await serving.stop() == 0
    for ran in refused:
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("hookledger: the key 'k' stands for something else, webhooks.create of ")
    assert await place.ask(tokens.LIST, tokens.ListTokens()) == []
    assert (await place.run("token", "create", "--role", "portal", "--idempotency-key", "a b")).code == 2


async def test_many_commands_at_once_are_one(place):
    """Ten processes that say the same under one key make one webhook."""
    await place.serve()
    words = ("webhooks", "create", "mine", URL, "--idempotency-key", "k", "--json")
    ran = await asyncio.gather(*[place.run(*words) for _ in range(10)])
    assert {one.json["id"] for one in ran} == {ran[0].json["id"]}
    assert [one for one in ran if "secret" in one.json] != []
    assert len(await place.ask(webhooks.LIST, webhooks.ListWebhooks())) == 1


@pytest.mark.parametrize("drop", ["unasked", "whole", "half"])
async def test_a_connection_that_breaks_is_asked_again_and_acts_once(place, drop):
    """Whether the question, the answer or half of it is lost: the command asks again under the key it made itself."""
    await place.serve()
    async with Between(place.data, [drop, drop, None, None]) as between:
        ran = await place.run("webhooks", "create", "mine", URL, "--json")
        (one,) = await ask_serve(place.data, webhooks.LIST, webhooks.ListWebhooks())
    assert (ran.code, ran.json["name"], ran.json["id"]) == (0, "mine", one.id)
    assert len(set(between.keys[:3])) == 1
    assert len(between.keys[0]) == 32


async def test_a_serve_that_dies_after_the_commit(place):
    """Killed between its commit and its answer: the command asks again, opens the ledger itself, and tells what was
    done."""
    serving = await place.serve()
    async with Between(place.data, itertools.repeat("whole"), kills=serving) as between:
        ran = await place.run("webhooks", "create", "mine", URL, "--json")
    assert len(between.keys) == 1
    assert ran.code == 0, ran.err
    assert "secret" not in ran.json
    assert "shown then" in ran.err
    (one,) = await place.ask(webhooks.LIST, webhooks.ListWebhooks())
    assert one.id == ran.json["id"]


async def test_who_only_looks_asks_again_too(place):
    """A list whose connection breaks is asked for again, without a key."""
    await place.serve()
    await place.ask(webhooks.CREATE, MINE)
    async with Between(place.data, ["half", None]) as between:
        ran = await place.run("webhooks", "list", "--json")
    assert [one["name"] for one in ran.json] == ["mine"]
    assert between.keys == [None, None]


async def test_a_connection_that_always_breaks_is_given_up(place):
    """After some tries the command says that it does not know, instead of asking for ever."""
    await place.serve()
    ledger = Ledger(Place(place.data), place.environment, url_check_allowing(()))
    async with Between(place.data, itertools.repeat("unasked")) as between, asyncio.timeout(DEADLINE_S):
        with pytest.raises(HookledgerError, match="did not answer"):
            await ask(ledger, webhooks.CREATE, MINE)
    assert len(between.keys) == ASK_TRIES_MAX


async def test_a_question_is_one_request(place):
    """What is spoken over the socket is HTTP: an unknown operation is 404 there, and the key is a header."""
    await place.serve()
    body = b'{"name":"mine","url":"https://example.com/"}'
    answers = [await post(place.data, "/operator/webhooks.create", body, "k") for _ in range(2)]
    assert [one.status for one in answers] == [200, 200]
    assert (b"secret" in answers[0].body, b"whsec" in answers[1].body) == (True, False)
    assert (await post(place.data, "/operator/webhooks.paint", b"{}", None)).status == 404
