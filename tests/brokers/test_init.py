"""`hookledger kafka init` and `kafka lag` on real brokers."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from delivery.kafka.admin import Admin
from delivery.kafka.records import Message
from delivery.kafka.settings import read
from delivery.kafka_setup.made import made
from delivery.kafka_setup.plan import Asked, planned
from tests.brokers.broker import free_port
from tests.end_to_end.conftest import _place  # noqa: F401 -- a fixture


def words(broker, prefix):
    """The flags of a set of topics that no other test has."""
    names = ("inbox-topic", "inbox-dead-topic", "deliveries-topic", "ledger-topic")
    flags = [word for name in names for word in (f"--{name}", f"{prefix}.{name}")]
    return ("kafka", "init", "--kafka", broker.address, *flags)


def settings_of(broker, topic):
    """As the broker tells them to a client that is not ours."""
    with closing(KafkaAdminClient(bootstrap_servers=broker.address)) as admin:
        told = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
        (described,) = admin.describe_topics([topic])
    settings = {name: said["value"] for name, said in told["topic"][topic].items()}
    return len(described["partitions"]), settings


async def test_topics_are_made_once(broker, place):
    """A look makes nothing; the first time all are made as planned; from then on all are the same."""
    asked = words(broker, "once")
    looked = await place.run(*asked, "--dry-run")
    again = await place.run(*asked, "--dry-run", "--json")
    first = await place.run(*asked, "--json")
    second = await place.run(*asked)
    assert (looked.code, [line.split()[0] for line in looked.out.splitlines()]) == (1, ["missing"] * 4)
    assert (again.code, {one["state"] for one in again.json}) == (1, {"missing"})
    assert (first.code, [one["state"] for one in first.json]) == (0, ["created"] * 4), first.err
    assert (second.code, [line.split()[0] for line in second.out.splitlines()]) == (0, ["same"] * 4), second.out
    for one in first.json:
        partitions, settings = await asyncio.to_thread(settings_of, broker, one["topic"])
        assert partitions == one["partitions"]
        assert one["settings"].items() <= settings.items()


async def test_what_exists_is_told_and_not_changed(broker, place):
    """A topic that deliveries cannot go through is named with what would mend it; it stays as it was."""
    topic = broker.new_topic(2, **{"cleanup.policy": "compact", "retention.ms": "60000"})
    before = await asyncio.to_thread(settings_of, broker, topic)
    ran = await place.run(*words(broker, "told"), "--deliveries-topic", topic)
    (line,) = [line for line in ran.out.splitlines() if topic in line]
    assert (ran.code, line.split()[0]) == (1, "wrong")
    assert "cleanup.policy is compact instead of delete" in line
    assert "2 partitions instead of 12" in line
    assert f"--entity-name {topic} --add-config cleanup.policy=delete,retention.ms=3600000" in line
    assert await asyncio.to_thread(settings_of, broker, topic) == before


async def test_two_at_once_make_them_once(broker, place):
    """However they meet, both find in the end what there is to be."""
    ran = await asyncio.gather(*[place.run(*words(broker, "both"), "--json") for _ in range(2)])
    assert [one.code for one in ran] == [0, 0], ran
    states = [{one["topic"]: one["state"] for one in each.json} for each in ran]
    assert all({each[topic] for each in states} <= {"created", "same"} for topic in states[0])


async def test_one_that_came_meanwhile_is_looked_at(broker):
    """Between the look and the making somebody made it, otherwise: that is told of it, and is no error."""
    plans = planned(Asked(("late.events",), "late.dead", "late.deliveries", "late.ledger"), 1)

    class Late(Admin):
        """Somebody is quicker."""

        def create(self, topics):
            broker.new_topic(3, "late.ledger", **{"cleanup.policy": "compact"})
            return super().create(topics)

    with Late(read(broker.address, {})) as late:
        ways = await asyncio.to_thread(made, late, plans)
    assert [one.state for one in ways] == ["created", "created", "created", "wrong"]
    assert "cleanup.policy is compact" in ways[3].text


async def test_what_a_broker_refuses_is_its_line(apache, place):
    """More copies than brokers: its own words, and exit code 1."""
    ran = await place.run(*words(apache, "refused"), "--replication", "3")
    assert ran.code == 1
    for line in ran.out.splitlines():
        assert line.startswith("refused")
        assert "replication factor of 3" in line


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        ((), 2, "--kafka HOST:PORT"),
        (("--kafka", "nowhere"), 2, "HOST:PORT"),
        (("--kafka", "{port}", "--inbox-topic", "a b"), 2, "'a b' is no name"),
        (("--kafka", "{port}", "--ledger-topic", "portal.events"), 2, "two things"),
        (("--kafka", "{port}", "--partitions", "0"), 2, "partitions"),
        (("--kafka", "{port}"), 1, "no broker answers at 127.0.0.1:"),
    ],
)
async def test_what_is_wrong_is_one_line(place, flags, code, says):
    """Also that nobody answers, which takes a few seconds to know."""
    ran = await place.run("kafka", "init", *(flag.format(port=f"127.0.0.1:{free_port()}") for flag in flags))
    assert (ran.code, ran.out, ran.err.count("\n"), says in ran.err) == (code, "", 1, True), ran.err


async def test_without_the_extra_it_says_what_to_install(place):
    """In one line; the help needs nothing of it."""
    without = "import sys; sys.modules['kafka'] = None; import hookledger; hookledger.main()"
    for name in ("init", "lag"):
        ran = await place.ended(await place.start_python("-c", without, "kafka", name, "--kafka", "127.0.0.1:1"))
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert "pip install 'hookledger[kafka]'" in ran.err
    ran = await place.ended(await place.start_python("-c", without, "kafka", "init", "--help"))
    assert (ran.code, "--partitions" in ran.out) == (0, True)


async def test_lag_is_how_much_lies_before_each_group(broker, place, produce, consume):
    """Of each group and topic, as the broker tells it: committed or not, and who reads it just now."""
    events, deliveries = broker.new_topic(2, "lag.events"), broker.new_topic(1, "lag.deliveries")
    producer = produce(broker)
    await producer.send([Message(events, b"%d" % n, b"x") for n in range(40)])
    reader = consume(broker, events, "lag-group")
    await reader.take(40)
    await reader.owns(2)
    # One by one, because the small broker says where a partition's last batch begins, and not where it ends.
    for message in [Message(events, b"%d" % n, b"x") for n in range(8)] + [Message(deliveries, b"k", b"x")] * 3:
        await producer.send([message])
    asked = ("kafka", "lag", "--kafka", broker.address, "--inbox-topic", events, "--inbox-group", "lag-group")
    asked += ("--inbox-topic", "lag.none", "--deliveries-topic", deliveries, "--deliveries-group", "lag-workers")
    ran = await place.run(*asked, "--json")
    first, second = ran.json
    assert (first["group"], first["topic"], first["end"]) == ("lag-group", events, 48)
    assert (first["committed"], first["lag"]) == (40, 8)
    assert (second["group"], second["committed"], second["end"], second["lag"]) == ("lag-workers", 0, 3, 3)
    # The small broker answers what kafka-python cannot read.
    assert (first["members"], second["members"]) in ((1, 0), (None, None))
    assert "there is no topic lag.none" in ran.err
    shown = await place.run(*asked)
    assert (ran.code, shown.code, len(shown.out.splitlines())) == (1, 1, 3)
