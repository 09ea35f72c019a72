"""`webhook.ledger` as a portal follows it: real processes, real brokers, whatever is killed."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from tests.brokers.broker import Broker
from tests.brokers.reader import DEADLINE_S, Reader
from tests.end_to_end.conftest import _crew, _place, _receiver  # noqa: F401 -- fixtures
from tests.end_to_end.place import ALLOW, FILE, a_portal_event
from tests.feed import schemas

PREFIX = "hookledger.delivery."


class Following:
    """Reads a topic from its beginning, as somebody who wants to know what becomes of deliveries."""

    def __init__(self, reader: Reader):
        self._reader = reader
        self.records = []
        self.events = []

    async def until(self, is_so):
        async with asyncio.timeout(DEADLINE_S):
            while not is_so():
                self.records += (some := await self._reader.take(1))
                self.events += [json.loads(record.value) for record in some]

    async def delivered(self, *ids):
        """Until it was told of all these portal events that they were delivered."""
        await self.until(lambda: {self.ends().get(id) for id in ids} == {"delivered"})

    def ends(self):
        """By the portal's id of the event: the state of its last delivery."""
        made = {}
        for event in self.events:
            if event["type"] == f"{PREFIX}created":
                made[event["subject"]] = [event["data"]["event"]["id"], "pending"]
            elif event["type"].startswith(PREFIX) and "state" in event["data"]:
                made[event["subject"]][1] = event["data"]["state"]
        return dict(made.values())

    def count(self, type):
        """How many there are of a type, each counted once."""
        return len({event["id"] for event in self.events if event["type"] == type})

    def check(self, *, once=False):
        """Each key has its own order, and each record comes at least once, with none left out before it."""
        told = {}
        for record, event in zip(self.records, self.events, strict=True):
            assert record.key == str(event["data"]["webhook"]).encode()
            schemas.check(event)
            told.setdefault(record.key, []).append(int(event["id"]))
        for positions in told.values():
            first = list(dict.fromkeys(positions))
            assert first == sorted(first)
            assert not once or first == positions


async def publish(serving, token, *ids):
    headers = {"Authorization": f"Bearer {token}"}
    events = [a_portal_event(id, readers=["everyone"]) for id in ids]
    url = f"{serving.url}/api/ledger/events"
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=json.dumps(events)) as answer:
        assert answer.status == 200, await answer.text()


async def reasons(serving):
    async with aiohttp.ClientSession() as session, session.get(f"{serving.url}/health/ready") as answer:
        return (await answer.json()).get("reasons", [])


async def until_it_says(serving, *words):
    """Until its reasons not to be ready say this; no words: until it has none."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            said = " ".join(await reasons(serving))
            if all(word in said for word in words) and (words or not said):
                return


def words(broker: Broker, topic: str):
    """What `serve` is started with: portal events do not come from there."""
    none = broker.new_topic(partitions=1)
    return ("--kafka", broker.address, "--ledger-topic", topic, "--inbox-topic", none, *ALLOW)


async def test_what_becomes_of_deliveries_is_told(broker, consume, place, receiver):
    """From the webhook's making on, in order, and over a stop; no secret and nothing of a body is in it."""
    topic = broker.new_topic(partitions=3)
    said = words(broker, topic)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = await place.run(
        "webhooks", "create", "mine", receiver.url, "--no-ssl", "--secret", "-", "--json", *ALLOW, stdin=secret
    )
    assert made.code == 0, made.err
    number = made.json["id"]
    serving = await place.serve(*said)
    token = await place.token()
    following = Following(consume(broker, topic))
    await publish(serving, token, "a", "b", "c")
    posts = [await receiver.next() for _ in range(3)]
    await following.delivered("a", "b", "c")
    assert await serving.stop() == 0
    serving = await place.serve(*said)
    await publish(serving, token, "d")
    posts.append(await receiver.next())
    await following.delivered("d")
    assert await reasons(serving) == []
    assert await serving.stop() == 0

    following.check(once=True)
    created, *others = following.events
    assert (created["type"], created["id"], created["subject"]) == (
        "hookledger.webhook.created",
        str(number),
        str(number),
    )
    assert created["data"]["url"] == receiver.url
    assert created["actor"] == "operator"
    kinds = [event["type"] for event in others]
    assert kinds.count(f"{PREFIX}created") == kinds.count(f"{PREFIX}delivered") == 4 == len(kinds) / 2
    told = {event["subject"]: event["data"]["delivery"] for event in others}
    assert told == {post.headers["webhook-id"]: json.loads(post.body)["event"]["id"] for post in posts}
    for record in following.records:
        assert record.headers == (("content-type", b"application/cloudevents+json"),)
        for word in (secret, secret.removeprefix("whsec_"), token, FILE["title"], "thank you"):
            assert word.encode() not in record.value


async def test_a_killed_process_leaves_nothing_out(broker, consume, place, receiver):
    """However often it is killed while it tells: all comes, in order, and what is told again is what was told."""
    topic = broker.new_topic(partitions=2)
    said = words(broker, topic)
    for name in ("one", "two"):
        made = await place.run("webhooks", "create", name, f"{receiver.url}/{name}", "--no-ssl", *ALLOW)
        assert made.code == 0, made.err
    token = await place.token()
    following = Following(consume(broker, topic))
    ids = []
    for turn in range(4):
        serving = await place.serve(*said)
        some = [f"{turn}-{n}" for n in range(100)]
        ids += some
        await publish(serving, token, *some)
        await following.until(lambda: len(following.ends()) > len(ids) - 90)  # noqa: B023 -- called here
        serving.process.kill()
        await serving.process.wait()
    serving = await place.serve(*said)
    await following.delivered(*ids)
    # The second webhook's may come later.
    await following.until(lambda: following.count(f"{PREFIX}delivered") == 2 * len(ids))
    assert await serving.stop() == 0
    following.check()


async def test_a_topic_that_is_missing_is_said_and_waited_for(apache, consume, place, receiver):
    """Everything else goes on; once it is there, all is told from the beginning. The small broker makes it unasked."""
    topic = f"{apache.new_topic(partitions=1)}-ledger"
    serving = await place.serve(*words(apache, topic))
    await place.webhook(receiver.url)
    await publish(serving, await place.token(), "a")
    await receiver.next()
    await until_it_says(serving, "what is recorded waits for Kafka", topic, "hookledger kafka init")
    apache.new_topic(partitions=1, name=topic)
    following = Following(consume(apache, topic))
    await following.delivered("a")
    await until_it_says(serving)
    assert await serving.stop() == 0
    following.check(once=True)


async def test_while_kafka_is_away_deliveries_go_on(apache, consume, place, receiver):
    """It is said what waits, and when Kafka is back it is told all that happened meanwhile."""
    topic = apache.new_topic(partitions=2)
    serving = await place.serve(*words(apache, topic))
    await place.webhook(receiver.url)
    token = await place.token()
    following = Following(consume(apache, topic))
    await publish(serving, token, "before")
    await receiver.next()
    await following.delivered("before")
    await asyncio.to_thread(apache.stop)
    ids = [f"{n}" for n in range(300)]
    await publish(serving, token, *ids)
    for _ in ids:
        await receiver.next()
    await until_it_says(serving, "what is recorded waits for Kafka: no broker answers")
    await asyncio.to_thread(apache.start)
    await following.delivered(*ids)
    await until_it_says(serving)
    assert await serving.stop() == 0
    following.check()


async def test_whoever_leads_tells(broker, consume, crew):
    """Of two processes on one database one tells; when it is killed the other goes on, and leaves nothing out."""
    topic = broker.new_topic(partitions=2)
    environment = {
        "HOOKLEDGER_KAFKA": broker.address,
        "HOOKLEDGER_LEDGER_TOPIC": topic,
        "HOOKLEDGER_INBOX_TOPIC": broker.new_topic(partitions=1),
    }
    for name in ("api", "one", "two"):
        crew.place(name).environment |= environment
    leader = await crew.begin()
    following = Following(consume(broker, topic))
    await following.delivered("first")
    await crew.publish(*(f"before {n}" for n in range(50)))
    await following.until(lambda: len(following.ends()) > 20)
    crew.serving[leader].process.kill()
    crew.tell("UPDATE marks SET until = clock_timestamp() + interval '1 s'")
    await crew.publish(*(f"after {n}" for n in range(50)))
    await crew.box.came(*crew.titles, within_s=DEADLINE_S)
    await following.delivered(*crew.titles)
    following.check()
    other = await crew.leader(but=leader)
    assert await reasons(crew.serving[other]) == []
    assert await reasons(crew.serving["api"]) == []
