"""What each of several processes on one database does and refuses, and what commands say beside them, or without."""

from __future__ import annotations

import asyncio
import os
import re
from hashlib import sha256

import pytest
from aiohttp import ClientSession

from core.settings import KEY_VARIABLE
from tests.end_to_end.place import Place
from tests.postgres import ENVIRONMENT

OTHER_KEY = "ab" * 32
PASSWORD = "S3cret of mine"
NOWHERE = "postgresql://someone:S3cret%20of%20mine@127.0.0.1:1/nowhere"


async def refused(place, code, *words, **environment):
    """What a command says that ends with this code: one line, on standard error."""
    ran = await place.run(*words, **environment)
    assert (ran.code, ran.out) == (code, ""), ran
    (line,) = ran.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        (("outbox",), "--role outbox by itself needs Kafka"),
        (("worker",), "--role worker by itself needs Kafka"),
        (("api", "worker"), "--role worker by itself needs Kafka"),
        (("inbox",), "say where it is with --kafka HOST:PORT"),
        (("kite",), "'kite' is not one of 'api', 'inbox', 'outbox', 'worker'"),
    ],
)
async def test_roles_that_no_process_can_have_are_refused(crew, roles, said):
    """In one line that says what is missing."""
    words = [word for role in roles for word in ("--role", role)]
    assert said in await refused(crew.place("any"), 2, "serve", "--port", "0", *words)
    assert not (crew.place("any").data).exists()


async def test_a_role_is_for_one_of_several(place):
    """Who has its ledger in a directory does everything."""
    line = await refused(place, 2, "serve", "--port", "0", "--role", "api")
    assert "share a --database" in line
    assert not place.data.exists()


async def test_each_process_does_its_part(crew):
    """Portals publish only to who takes events, and only who carries ever leads; each tells of its health."""
    await crew.start(api="api", carrier="outbox worker", all="")
    answers = {}
    async with ClientSession() as session:
        for name, serving in crew.serving.items():
            statuses = []
            for path in ("/health/live", "/health/ready", "/metrics"):
                async with session.get(f"{serving.url}{path}") as answer:
                    statuses.append(answer.status)
            async with session.post(f"{serving.url}/api/ledger/events", data=b"{}") as answer:
                statuses.append(answer.status)
            answers[name] = statuses
    assert answers == {"api": [200, 200, 200, 401], "carrier": [200, 200, 200, 404], "all": [200, 200, 200, 401]}
    leader = await crew.leader()
    assert leader != "api"
    assert await crew.serving[leader].stop() == 0
    assert {leader, await crew.leader(but=leader)} == {"carrier", "all"}


async def test_without_any_serve_commands_open_the_database_themselves(crew):
    """Also when nobody has ever served it. What only a leader keeps up is said to be behind."""
    place = crew.place("desk")
    made = await place.run("webhooks", "create", "mine", "https://receiver.example/hook", "--json")
    assert (made.code, made.json["name"]) == (0, "mine"), made
    listed = await crew.place("other desk").run("webhooks", "list", "--json")
    assert [webhook["id"] for webhook in listed.json] == [made.json["id"]]
    event = '{"id": "e1", "type": "file.created", "readers": ["everyone"], "data": {"id": 1, "title": "t"}}'
    published = await place.run("publish", "-", "--json", stdin=event)
    assert published.code == 0, published.err
    found = await place.run("deliveries", "list")
    assert (found.code, len(found.out.splitlines())) == (0, 1)
    assert "no process leads" in found.err
    assert "recorded events are not in this: the views are behind" in found.err
    counted = await place.run("deliveries", "list", "--count")
    assert (counted.code, counted.out) == (0, "0\n")
    number = made.json["id"]
    for words in (("deliveries", "show", str(number + 2)), ("webhooks", "disable", str(number))):
        ran = await place.run(*words)
        assert ran.code == 0, ran.err
        assert "Traceback" not in ran.err


async def test_a_process_with_another_key_or_none_is_refused(crew):
    """It could open no webhook's secret; the line tells the two keys apart, and neither is in it."""
    for words in (("serve", "--port", "0"), ("webhooks", "list")):
        line = await refused(crew.place("wrong"), 1, *words, **{KEY_VARIABLE: OTHER_KEY})
        ours, theirs = (key_id(key) for key in (ENVIRONMENT[KEY_VARIABLE], OTHER_KEY))
        assert ours in line
        assert theirs in line
        assert not any(key in line for key in (ENVIRONMENT[KEY_VARIABLE], OTHER_KEY))
    none = crew.place("none")
    del none.environment[KEY_VARIABLE]
    for words in (("serve", "--port", "0"), ("webhooks", "list")):
        line = await refused(none, 1, *words)
        assert "master.key" in line
        assert f"set {KEY_VARIABLE}" in line
    assert not (none.data / "master.key").exists()


def key_id(key):
    """The four bytes by which people tell keys apart."""
    return sha256(bytes.fromhex(key)).hexdigest()[:8]


@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("webhooks", "list")])
async def test_a_database_that_is_no_ledger_or_not_there_is_said_so(crew, words):
    """In one line that says what to do, and never with a password."""
    place = crew.place("any")
    line = await refused(place, 1, *words, HOOKLEDGER_SCHEMA="nothing_here")
    assert "`hookledger migrate` it" in line
    line = await refused(place, 1, *words, HOOKLEDGER_DATABASE=NOWHERE)
    assert "the database nowhere at 127.0.0.1" in line
    assert "see that it runs" in line
    for wrong in ("postgresql://someone:S3cret of@mine@127.0.0.1/x", "mysql://someone:S3cret of mine@127.0.0.1/x"):
        line = await refused(place, 2, *words, HOOKLEDGER_DATABASE=wrong)
        assert "S3cret" not in line
    shown = await place.run("config", HOOKLEDGER_DATABASE=NOWHERE)
    assert "S3cret" not in shown.out + shown.err
    assert "nowhere" in shown.out


async def test_of_two_on_one_directory_the_second_is_refused(crew):
    """Each process has a directory of its own, though the ledger is in none of them."""
    await crew.start(one="")
    place = Place(crew.place("one").data)
    place.environment = crew.place("one").environment | {"HOOKLEDGER_CONFIG": os.devnull}
    line = await refused(place, 1, "serve", "--port", "0")
    assert f"holds {place.data}" in line
    async with asyncio.timeout(20):
        assert await crew.serving["one"].stop() == 0


async def test_who_may_only_read_the_ledger_does_not_start(crew):
    """Else a worker would make requests that it can never record."""
    await crew.start(first="api")
    reader, schema, views = f"reads_{crew.database.schema}", crew.database.schema, f"{crew.database.schema}_views"
    crew.tell(
        f"CREATE ROLE {reader} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {reader};"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}; GRANT ALL ON SCHEMA {views} TO {reader};"
        f"GRANT ALL ON ALL TABLES IN SCHEMA {views} TO {reader}"
    )
    url = re.sub(r"//[^:@/]+", f"//{reader}", crew.database.url, count=1)
    ran = await crew.place("second").run("serve", "--port", "0", "--role", "api", HOOKLEDGER_DATABASE=url)
    crew.tell(f"DROP OWNED BY {reader}; DROP ROLE {reader}")
    assert ran.code == 1
    assert "the ledger cannot write" in ran.err
    assert "permission denied for function append" in ran.err
