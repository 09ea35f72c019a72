"""The whole way on Apache Kafka and PostgreSQL, a process for each role, between clients that are none of ours."""

from __future__ import annotations

import asyncio
import json

import pytest

from core.ledger.store import Database
from core.settings import KEY_VARIABLE
from tests import postgres
from tests.brokers.outcomes import Outcomes, Wanted
from tests.brokers.outsider import Following, outsiders
from tests.brokers.reader import DEADLINE_S
from tests.brokers.verifying import VerifyingReceiver
from tests.end_to_end.place import ALLOW, Place, a_portal_event

ROLES = ("api", "inbox", "outbox", "worker")
WEBHOOKS = ("one", "two")
EVENTS = 50
"""Of each client."""


@pytest.fixture(name="judge")
async def _judge():
    """A receiver that verifies with what others have written."""
    receiver = VerifyingReceiver()
    await receiver.open()
    yield receiver
    await receiver.close()


class Topics:
    """Places for each process and for commands, with topics and a schema that nobody else has."""

    def __init__(self, home, broker, database):
        self._home, self._places = home, {}
        self.events, self.ledger = "whole.events", "whole.ledger"
        self._said = {
            "HOOKLEDGER_KAFKA": broker.address,
            "HOOKLEDGER_DATABASE": database.url,
            "HOOKLEDGER_SCHEMA": database.schema,
            "HOOKLEDGER_INBOX_TOPIC": self.events,
            "HOOKLEDGER_INBOX_GROUP": "whole",
            "HOOKLEDGER_INBOX_DEAD_TOPIC": "whole.dead",
            "HOOKLEDGER_DELIVERIES_TOPIC": "whole.deliveries",
            "HOOKLEDGER_DELIVERIES_GROUP": "whole-workers",
            "HOOKLEDGER_LEDGER_TOPIC": self.ledger,
            KEY_VARIABLE: postgres.ENVIRONMENT[KEY_VARIABLE],
        }

    def place(self, name):
        if name not in self._places:
            self._places[name] = Place(self._home / name)
            self._places[name].environment |= self._said
        return self._places[name]

    async def run(self, *words):
        ran = await self.place("commands").run(*words)
        assert ran.code == 0, ran.err
        return ran

    async def close(self):
        for place in self._places.values():
            await place.close()


@pytest.fixture(name="topics")
async def _topics(apache, tmp_path):
    database = Database(postgres.server_url(), "whole_way")
    topics = Topics(tmp_path, apache, database)
    yield topics
    await topics.close()
    postgres.drop(database)


async def test_others_write_events_verify_deliveries_and_read_what_became_of_them(apache, topics, judge, tell):
    """What kcat and kafka-python's command line write arrives once at each webhook, its signatures hold for
    the package standardwebhooks and by DocSpace's rule, and the same clients read each outcome, in its order."""
    for words in (("migrate",), ("kafka", "init", "--partitions", "4")):
        await topics.run(*words)
    serving = await asyncio.gather(*(topics.place(role).serve("--role", role, *ALLOW) for role in ROLES))
    numbers = []
    for name in WEBHOOKS:
        made = await topics.run("webhooks", "create", name, f"{judge.url}/{name}", "--no-ssl", "--json", *ALLOW)
        judge.secrets[name] = made.json["secret"]
        numbers.append(made.json["id"])
    wanted = set()
    for client in outsiders():
        ids = [f"{client.name} {number}" for number in range(EVENTS)]
        wanted |= {Wanted(number, id) for number in numbers for id in ids}
        await client.write(apache.address, topics.events, [json.dumps(a_portal_event(id)).encode() for id in ids])
        outcomes = Outcomes()
        following = Following(client, apache.address, topics.ledger, outcomes.take)
        await following.begin()
        try:
            told = await following.until(lambda: outcomes.ended(wanted) == wanted, DEADLINE_S)  # noqa: B023 -- now
        finally:
            await following.end()
        assert told, wanted - outcomes.ended(wanted)
        assert outcomes.not_delivered(wanted) == {}
        assert judge.wrong == []
        assert judge.deliveries == dict.fromkeys((outcomes.subjects[one] for one in wanted), 1)
    assert [await one.stop() for one in serving] == [0] * len(ROLES)
    names = " and ".join(client.name for client in outsiders())
    tell(f"{len(judge.posts)} deliveries of what {names} had written, verified, and read of by the same")
