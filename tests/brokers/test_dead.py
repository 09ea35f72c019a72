"""`dead list` and `dead retry`: what could not be taken goes back once it can be.

On Apache Kafka alone: the small broker keeps no text beside an offset, and says wrongly where a partition ends.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import closing

import pytest
from kafka import KafkaProducer

from delivery.dead.letter import Dead, letter
from delivery.kafka.log_reader import LOG_READ_RECORDS_MAX
from delivery.kafka.records import Message, Placed, Record
from tests.brokers.reader import DEADLINE_S
from tests.end_to_end.conftest import _place, _receiver  # noqa: F401 -- fixtures
from tests.faults.test_plugins import _site  # noqa: F401

ALLOW = ("--allow-target", "127.0.0.0/8")

KITES = """
from hookledger import Reading, Trigger, Unreadable, hookimpl

@hookimpl
def register_triggers():
    return [Trigger(name="kite.flown", order=1000)]

@hookimpl
def read_event(events):
    return [read(event) for event in events]

def read(event):
    if not isinstance(event.data.get("id"), KINDS):
        return Unreadable("data.id", "expected " + " or ".join(kind.__name__ for kind in KINDS))
    return Reading(payload={"id": event.data["id"]}, target_type="kite", readers=["everyone"])
"""


class Morgue:
    """A topic of the dead, one that events are read from, and the commands on them."""

    def __init__(self, broker, place):
        self.topic, self.dead = broker.new_topic(partitions=1), broker.new_topic(partitions=2)
        self.place = place
        self.words = ("--kafka", broker.address, "--inbox-dead-topic", self.dead, "--inbox-group", f"{self.topic}-g")

    async def list(self, *words):
        ran = await self.place.run("dead", "list", *self.words, "--json", *words)
        assert ran.code == 0, ran.err
        return [json.loads(line) for line in ran.out.splitlines()], ran.err

    async def retry(self, *words):
        ran = await self.place.run("dead", "retry", *self.words, "--inbox-topic", self.topic, *words)
        return ran.code, [json.loads(line) for line in ran.out.splitlines()], ran.err

    def letter(self, offset, value, *, key=b"k", headers=(), topic=None):
        record = Record(topic or self.topic, 0, offset, key, value, tuple(headers), 0)
        return letter(Dead(record, f"reason {offset}"), self.dead)


@pytest.fixture(name="morgue")
def _morgue(apache, place):
    return Morgue(apache, place)


async def test_what_is_retried_is_the_record_it_was_and_is_retried_once(apache, produce, consume, morgue):
    """Key, value and headers, null and bytes of no text among them; a second `--all` finds nothing, and `list` shows
    only what is left, or with `--all` everything. What is named goes back again."""
    headers = (("ce_id", b"a"), ("mine", b"\xff"), ("mine", b""))
    sent = [morgue.letter(n, b"\xfevalue %d" % n if n else None, key=b"k%d" % n, headers=headers) for n in range(6)]
    placed = await produce(apache).send(sent)
    places = {f"{one.partition}/{one.offset}": n for n, one in enumerate(placed)}
    listed, said = await morgue.list()
    assert {one["place"]: one["offset"] for one in listed} == places
    assert {one["reason"] for one in listed} == {f"reason {n}" for n in range(6)}
    assert (listed[0]["retried"], listed[0]["cut"], listed[0]["deaths"]) == (False, None, 1)
    assert "6 dead letters not retried yet" in said
    code, told, said = await morgue.retry("--all", "--dry-run", "--json")
    assert (code, len(told), any(one["retried"] for one in told)) == (0, 6, False)
    assert "6 dead letters would be retried" in said
    first = list(places)[2]
    assert (await morgue.retry(first))[0] == 0
    assert {one["place"] for one in (await morgue.list())[0]} == places.keys() - {first}
    assert "5 dead letters retried" in (await morgue.retry("--all"))[2]
    assert "0 dead letters retried" in (await morgue.retry("--all"))[2]
    assert (await morgue.list())[0] == []
    assert [one["retried"] for one in (await morgue.list("--all"))[0]] == [True] * 6
    assert (await morgue.retry(first))[0] == 0
    read = await consume(apache, morgue.topic).take(7)
    assert [record.key for record in read].count(b"k%d" % places[first]) == 2
    assert {(record.key, record.value, record.headers) for record in read} == {
        (one.key, one.value, (*headers, ("hookledger-deaths", b"1"))) for one in sent
    }


async def test_what_cannot_go_back_is_said_and_holds_up_nothing(apache, produce, consume, morgue):
    """A letter that is cut, from a topic that nobody reads or that is gone, or from nowhere; it stays in the list."""
    cut = morgue.letter(1, b"cu")
    letters = [
        cut._replace(headers=(*cut.headers, ("hookledger-cut", b"9"))),
        morgue.letter(2, b"x", topic="elsewhere"),
        morgue.letter(3, b"x", topic="gone"),
        Message(morgue.dead, b"k", b"by hand"),
        morgue.letter(4, b"good"),
        morgue.letter(5, b"good"),
    ]
    await produce(apache).send(letters)
    code, told, said = await morgue.retry("--all", "--json", "--inbox-topic", "gone")
    assert code == 1
    whys = [one["why"] for one in told]
    assert "only the first part is here, of 9 bytes" in whys[0]
    assert "not read from the topic 'elsewhere' (--inbox-topic)" in whys[1]
    assert whys[2:] == ["there is no topic 'gone'", "it does not say which topic it came from", None, None]
    assert "2 dead letters retried; 4 cannot be, 1 of them because they are cut" in said
    assert [record.value for record in await consume(apache, morgue.topic).take(2)] == [b"good", b"good"]
    assert [one["offset"] for one in (await morgue.list())[0]] == [1, 2, 3, None]
    code, _, said = await morgue.retry("--all")
    assert (code, "0 dead letters retried; 4 cannot be" in said) == (1, True)
    code, told, _ = await morgue.retry("0/999", "1/999", "7/0", "--json")
    assert (code, [one["why"] for one in told]) == (1, ["there is no such letter"] * 3)


async def test_what_is_said_wrongly_is_said_so(place, morgue):
    """In one line, with the exit code of its kind."""
    no_topic = (*morgue.words[:3], "no-such-topic", *morgue.words[4:])
    for words, code, says in (
        (("list",), 2, "--kafka HOST:PORT"),
        (("list", *no_topic), 1, "there is no topic no-such-topic"),
        (("list", "--kafka", "127.0.0.1:1"), 1, "127.0.0.1:1"),
        (("retry", *morgue.words), 2, "say --all"),
        (("retry", "--all", "0/1", *morgue.words), 2, "say --all"),
        (("retry", "5", *morgue.words), 2, "PARTITION/OFFSET"),
    ):
        ran = await place.run("dead", *words)
        assert (ran.code, says in ran.err, ran.err.count("\n"), ran.out) == (code, True, 1, ""), ran.err


async def test_people_see_a_line_each(apache, produce, place, morgue):
    """Where it stands, where it came from, why, and how it begins; and how many there are."""
    await produce(apache).send([morgue.letter(n, b"\x1b[31m" + b"x" * 500) for n in range(30)])
    ran = await place.run("dead", "list", *morgue.words, "--limit", "5")
    lines = ran.out.splitlines()
    assert (ran.code, lines[0].split(), len(lines)) == (0, ["place", "when", "from", "why", "value"], 6)
    assert f"{morgue.topic}/0/0" in lines[1]
    assert "reason 0" in lines[1]
    assert "\x1b" not in ran.out
    assert all(len(line) < 250 for line in lines)
    assert "5 dead letters not retried yet, in " in ran.err
    assert "of 30 in all" in ran.err


async def test_a_letter_may_be_of_any_time(apache, place):
    """Whoever wrote it by hand: what is no time is not shown as one."""
    dead = apache.new_topic(1, **{"message.timestamp.after.max.ms": f"{2**62}"})
    with closing(KafkaProducer(bootstrap_servers=apache.address)) as producer:
        producer.send(dead, b"odd", timestamp_ms=2**60).get(20)
    for words in ((), ("--json",)):
        ran = await place.run("dead", "list", "--kafka", apache.address, "--inbox-dead-topic", dead, *words)
        assert (ran.code, "odd" in ran.out) == (0, True), ran.err


async def test_a_newer_plugin_gets_what_the_older_one_refused(apache, produce, place, receiver, site):
    """A real `serve`: an event that its plugin cannot read is dead, one of a type that nobody knows is recorded; given
    back after the plugin was replaced it is delivered, and only once however often it goes back. Given back too early
    it dies once more, and says so."""
    morgue = Morgue(apache, place)
    serve = ("--inbox-topic", morgue.topic, *morgue.words, *ALLOW)
    made = await place.run("webhooks", "create", "kites", f"{receiver.url}/kites", "--no-ssl", *ALLOW)
    assert made.code == 0, made.err
    site.install("kites", f"KINDS = (int,)\n{KITES}")
    serving = await place.serve(*serve)

    def kite(id, type="kite.flown"):
        return json.dumps({"id": f"{id}", "type": type, "data": {"id": id}}).encode()

    binary = (("ce_specversion", b"1.0"), ("ce_id", b"c"), ("ce_source", b"/portals/1"), ("ce_type", b"kite.flown"))
    events = [(kite(1), ()), (kite("b"), ()), (b'{"id": "c"}', binary), (kite(2, "unicorn.seen"), ()), (kite(3), ())]
    placed = await produce(apache).send([Message(morgue.topic, b"k", value, headers) for value, headers in events])
    assert all(isinstance(one, Placed) for one in placed)
    assert {(await delivered(receiver))["id"] for _ in range(2)} == {1, 3}
    letters = await dead(morgue, 2)
    assert [one["reason"] for one in letters] == ["$.data.id: expected int"] * 2
    assert (await morgue.retry(letters[0]["place"]))[0] == 0
    (again,) = [one for one in await dead(morgue, 2) if one["deaths"] == 2]
    assert again["value"] == letters[0]["value"]
    assert await serving.stop() == 0

    site.install("kites", f"KINDS = (int, str)\n{KITES}", version="2")
    serving = await place.serve(*serve)
    code, _, said = await morgue.retry("--all")
    assert (code, "2 dead letters retried" in said) == (0, True), said
    assert (await morgue.retry(again["place"]))[0] == 0
    assert {(await delivered(receiver))["id"] for _ in range(2)} == {"b", "c"}
    await produce(apache).send([Message(morgue.topic, b"k", kite(4))])
    assert (await delivered(receiver))["id"] == 4
    assert await serving.stop() == 0
    assert (await morgue.list())[0] == []


async def test_a_retry_that_is_killed_is_typed_again(apache, produce, consume, morgue):
    """Every letter goes back, whatever was done when it was killed; some twice, which intake knows as duplicates. What
    had been noted by then does not go back again."""
    # More than fits between it and who reads what it says, which is one line: so it has begun, and cannot end.
    count = 6_000
    values = {b'{"id": "%d", "type": "file.created", "data": {"id": 1}}' % n for n in range(count)}
    await produce(apache).send([morgue.letter(n, value) for n, value in enumerate(sorted(values))])
    reader = consume(apache, morgue.topic)
    killed = await morgue.place.start("dead", "retry", "--all", "--json", *morgue.words, "--inbox-topic", morgue.topic)
    async with asyncio.timeout(DEADLINE_S):
        assert json.loads(await killed.stdout.readline())["retried"]
    killed.kill()
    assert await killed.wait() != 0
    left = len((await morgue.list("--limit", str(count)))[0])
    assert 0 < left < count
    assert f"{left:,} dead letters retried" in (await morgue.retry("--all"))[2]
    read = []
    while {record.value for record in read} != values:
        read += await reader.take(1)
    assert len(read) <= count + LOG_READ_RECORDS_MAX
    assert (await morgue.list())[0] == []


async def delivered(receiver):
    return json.loads((await receiver.next()).body)["payload"]


async def dead(morgue, count):
    """The letters that were not retried, once there are so many."""
    async with asyncio.timeout(DEADLINE_S):
        while len(found := (await morgue.list())[0]) < count:
            pass
    return found
