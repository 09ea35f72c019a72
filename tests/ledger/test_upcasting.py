"""Stored events stay readable when their classes change."""

from __future__ import annotations

import msgspec
import pytest

from core.errors import LedgerError
from core.ledger.unit import Entry, Unit
from core.model import topics
from core.model.event import Event
from core.model.topics import TOPICS, UPCASTERS, Codec
from tests.builders import NOW, Books, neutral, set_group, stream


class Painted(Event):
    """What the first version recorded."""

    colour: str


class PaintedTwice(Event):
    """The second version: a kite has two sides."""

    front: str
    back: str


class PaintedInFull(Event):
    """The third version: colours are numbers, and a field came at the end."""

    sides: tuple[int, int]
    shines: bool = False


NUMBERS = {"red": 1, "blue": 2}
TO_SECOND = {"Kite.Painted/1": ("Kite.Painted/2", lambda old: [*old, old[2]])}
TO_THIRD = {"Kite.Painted/2": ("Kite.Painted/3", lambda old: [*old[:2], [NUMBERS[old[2]], NUMBERS[old[3]]]])}


def test_what_version_1_stored_is_read_by_version_2(tmp_path):
    """The second version's code finds its own class in a ledger that the first version wrote, beside all others."""
    with Books(tmp_path, Codec(TOPICS | {"Kite.Painted/1": Painted})) as books:
        books.append(Unit([Entry(stream(1), 1, Painted("1", NOW, "red")), neutral(2)]))
    with Books(tmp_path, Codec(TOPICS | {"Kite.Painted/2": PaintedTwice}, TO_SECOND)) as books:
        books.append(Unit([Entry(stream(1), 2, PaintedTwice("1", NOW, "red", "blue"))]))
        kite = [each.event for each in books.reader.stream(stream(1))]
        assert kite == [PaintedTwice("1", NOW, "red", "red"), PaintedTwice("1", NOW, "red", "blue")]
        assert books.reader.after(1)[0].event == neutral(2).event
        assert [topic for (topic,) in books.rows("SELECT topic FROM events ORDER BY position")] == [
            "Kite.Painted/1",
            "Delivery.Created/1",
            "Kite.Painted/2",
        ]


def test_versions_are_passed_one_by_one(tmp_path):
    """From the first to the third version by way of the second, and from the second; nothing stored is changed."""
    first, second = Codec({"Kite.Painted/1": Painted}), Codec({"Kite.Painted/2": PaintedTwice})
    third = Codec({"Kite.Painted/3": PaintedInFull}, TO_SECOND | TO_THIRD)
    assert third.decode(*first.encode(Painted("1", NOW, "blue"))) == PaintedInFull("1", NOW, (2, 2))
    assert third.decode(*second.encode(PaintedTwice("1", NOW, "red", "blue"))) == PaintedInFull("1", NOW, (1, 2))
    assert third.decode(*third.encode(PaintedInFull("1", NOW, (1, 1), True))) == PaintedInFull("1", NOW, (1, 1), True)


def test_a_new_field_at_the_end_needs_no_new_version():
    """What was stored before there was the field is read with its default."""
    stored = msgspec.msgpack.encode(["1", NOW, [1, 2]])
    assert Codec({"Kite.Painted/3": PaintedInFull}).decode("Kite.Painted/3", stored).shines is False


def test_an_unknown_topic_says_what_to_do(tmp_path):
    """A ledger that a newer version wrote is not guessed at: the error names the event, and who can read it."""
    with Books(tmp_path, Codec(TOPICS | {"Kite.Painted/1": Painted})) as books:
        books.append(Unit([Entry(stream(1), 1, Painted("1", NOW, "red"))]))
    with (
        Books(tmp_path) as books,
        pytest.raises(LedgerError, match=r"'Kite\.Painted/1'.*start the version that wrote it"),
    ):
        books.reader.after(0)


def test_every_topic_has_a_version_and_leads_to_a_class():
    """Topics are noun, verb and version; each class has one; old ones lead, step by step, to one that is read today."""
    for topic in [*TOPICS, *UPCASTERS]:
        name, _, version = topic.partition("/")
        assert [part[0].isupper() for part in name.split(".")] == [True, True]
        assert int(version) >= 1
    assert len(set(TOPICS.values())) == len(TOPICS)
    assert not set(TOPICS) & set(UPCASTERS)
    for old in UPCASTERS:
        topic, seen = old, set()
        while topic in UPCASTERS and topic not in seen:
            seen.add(topic)
            topic, _ = UPCASTERS[topic]
        assert topic in TOPICS


def test_every_event_that_moves_a_directory_is_kept_apart():
    """What a start must read is named: all that directories are made of, and none of what comes by the thousand."""
    assert topics.DIRECTORY_EVENTS < topics.LANDMARKS < set(TOPICS.values())
    nouns = {topic.partition(".")[0] for topic, kind in TOPICS.items() if kind in topics.DIRECTORY_EVENTS}
    assert nouns == {"Webhook", "Person", "Group"}
    assert type(set_group()) in topics.LANDMARKS
    assert type(neutral().event) not in topics.LANDMARKS


def test_a_damaged_state_says_so():
    """A state that is not one of its topic is named in one line, whether it is read as it is or upcast first."""
    codec = Codec(TOPICS | {"Kite.Painted/3": PaintedInFull}, TO_SECOND | TO_THIRD)
    for topic, state in (
        ("Person.Removed/1", b"\x93\xa11\x05"),
        ("Person.Removed/1", msgspec.msgpack.encode(["1", "late", "p", 5, None])),
        ("Kite.Painted/1", msgspec.msgpack.encode(["1", 5])),
        ("Kite.Painted/1", msgspec.msgpack.encode(["1", 5, "plaid"])),
        ("Kite.Painted/2", msgspec.msgpack.encode(7)),
    ):
        with pytest.raises(LedgerError, match=f"a state of '{topic}' cannot be read") as refused:
            codec.decode(topic, state)
        assert "\n" not in str(refused.value)
