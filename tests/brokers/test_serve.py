"""`serve --kafka` as people start it: portal events from a topic become deliveries, and are committed."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from delivery.kafka.records import Message
from tests.brokers.reader import DEADLINE_S
from tests.end_to_end.conftest import _place, _receiver  # noqa: F401 -- fixtures

ALLOW = ("--allow-target", "127.0.0.0/8")


def event(number, **more):
    return json.dumps({"id": f"e{number}", "type": "file.created", "data": {"id": number}, **more}).encode()


async def test_what_a_portal_writes_to_a_topic_is_delivered(broker, produce, consume, place, receiver):
    """Each event once, also over a stop; one of a topic that is a tenant's is that tenant's; what is none is dead."""
    common, theirs = broker.new_topic(partitions=2), broker.new_topic(partitions=1)
    dead = broker.new_topic(partitions=1)
    tenant, rest = theirs[0], theirs[1:]
    words = ("--kafka", broker.address, "--inbox-topic", common, "--inbox-topic", theirs, *ALLOW)
    words += ("--inbox-tenant", "{tenant}" + rest, "--inbox-dead-topic", dead, "--inbox-group", f"{common}-group")
    for owner in ("1", tenant):
        url = f"{receiver.url}/{owner}"
        made = await place.run("webhooks", "create", owner, url, "--no-ssl", "--tenant", owner, *ALLOW)
        assert made.code == 0, made.err
    producer = produce(broker)
    await producer.send([Message(common, b"k", event(n)) for n in range(20)] + [Message(theirs, b"k", event(100))])
    serving = await place.serve(*words)
    paths = [(await receiver.next()).path for _ in range(21)]
    assert await serving.stop() == 0
    await producer.send([Message(common, b"k", b"none"), Message(common, b"k", event(20))])
    serving = await place.serve(*words)
    (letter,) = await consume(broker, dead).take(1)
    paths.append((await receiver.next()).path)
    assert await serving.stop() == 0
    assert letter.value == b"none"
    assert sorted(paths) == sorted(["/1"] * 21 + [f"/{tenant}"])


async def test_a_broker_that_is_not_there_is_a_reason_not_to_be_ready(place):
    """Everything else goes on, and it ends in time."""
    serving = await place.serve("--kafka", "127.0.0.1:1")
    async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session:
        while "portal events wait in Kafka" not in await (await session.get(f"{serving.url}/health/ready")).text():
            pass
    assert await serving.stop() == 0


async def test_roles_and_settings_that_cannot_be_are_refused(place):
    """In one line that says what to do."""
    for words, says, environment in (
        (("--role", "inbox", "--database", "postgresql://h/d"), "--kafka HOST:PORT", {}),
        (("--kafka", "nowhere"), "nowhere", {}),
        (("--kafka", "127.0.0.1:1", "--inbox-tenant", "portal"), "binds no tenant", {}),
        (("--kafka", "127.0.0.1:1"), "HOOKLEDGER_KAFKA_SASL_MECHANISMS", {"HOOKLEDGER_KAFKA_SASL_MECHANISMS": "PLAIN"}),
    ):
        ran = await place.run("serve", "--port", "0", *words, **environment)
        assert (ran.code, says in ran.err, "Traceback" in ran.err) == (2, True, False), ran.err
