"""What is dead, as it is written for somebody to look at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.limits import DEAD_LETTERS_BYTES_MAX, DEAD_LETTERS_MAX, DEAD_REASON_CHARS_MAX
from delivery.dead.letter import Dead, again, at_once, letter, letter_of, reason_of, shorter
from delivery.kafka.records import Record

HEADERS = st.lists(st.tuples(st.sampled_from(["mine", "ce_id", "hookledger-cut", "hookledger-topic"]), st.binary()))


def dead(value=b"odd", *, key=b"k", headers=(), reason="it is odd"):
    return Dead(Record("portal.events", 2, 77, key, value, tuple(headers), 0), reason)


@given(st.none() | st.binary(), st.none() | st.binary(), HEADERS, st.text())
def test_it_is_the_record_and_why(key, value, headers, reason):
    """Key, value and headers as they were, but those of an earlier death; then ours, each once. It has a key or a
    value, as a message must."""
    message = letter(dead(value, key=key, headers=headers, reason=reason), "portal.events.dead")
    assert message.topic == "portal.events.dead"
    assert message.key == key
    assert message.value == (b"" if key is None and value is None else value)
    theirs = tuple(one for one in headers if not one[0].startswith("hookledger-"))
    assert message.headers[: len(theirs)] == theirs
    names = ["hookledger-reason", "hookledger-topic", "hookledger-partition", "hookledger-offset", "hookledger-deaths"]
    assert [name for name, _ in message.headers[len(theirs) :]] == names


def test_it_is_cut_until_nothing_is_left():
    """Each form is the beginning of the one before, and says how long it was; then without a foreign header, and then
    with less and less of the key."""
    forms = list(shorter(dead(b"0123456789", key=b"key", headers=[("mine", b"x")]), "dead"))
    assert [form.value for form in forms] == [b"01234", b"01", b"0", b"", b"", b""]
    assert [form.key for form in forms] == [b"key", b"key", b"key", b"key", b"k", b""]
    assert {dict(form.headers)["hookledger-cut"] for form in forms} == {b"10"}
    assert ["mine" in dict(form.headers) for form in forms] == [True, True, True, False, False, False]
    assert [dict(form.headers).get("hookledger-key-cut") for form in forms] == [None] * 4 + [b"3", b"3"]


@given(st.none() | st.binary(), st.none() | st.binary(), HEADERS, st.text(), st.integers(1, 4))
def test_given_back_it_is_the_record_it_was(key, value, headers, reason, deaths):
    """However often it dies: for its topic, its key, value and headers, and how often it has died; a letter says so."""
    record = dead(value, key=key, headers=headers).record
    theirs = tuple(one for one in headers if not one[0].startswith("hookledger-"))
    for died in range(1, deaths + 1):
        written = letter(Dead(record, reason), "dead")
        read = letter_of(Record("dead", 0, 5, written.key, written.value, written.headers, 0))
        assert (read.topic, read.partition, read.offset, read.deaths, read.cut) == ("portal.events", 2, 77, died, None)
        assert read.reason.encode() == reason.encode(errors="backslashreplace")
        back = again(read)
        assert (back.topic, back.key, back.headers[:-1]) == ("portal.events", key, theirs)
        assert back.value == (b"" if key is None and value is None else value)
        assert back.headers[-1] == ("hookledger-deaths", b"%d" % died)
        record = record._replace(value=back.value, headers=back.headers)


@pytest.mark.parametrize("headers", [[], [("hookledger-topic", b"t"), ("hookledger-cut", b"10")]])
def test_what_is_not_whole_or_from_nowhere_is_not_given_back(headers):
    """Who wrote it may have been anybody."""
    assert again(letter_of(dead(headers=headers).record)) is None


@given(st.lists(st.tuples(st.sampled_from(["topic", "partition", "offset", "deaths", "cut", "reason"]), st.binary())))
def test_any_letter_is_read(headers):
    """What is no number says nothing."""
    read = letter_of(dead(headers=[(f"hookledger-{name}", value) for name, value in headers]).record)
    assert read.deaths >= 1


def test_a_reason_says_how_many_and_ends_somewhere():
    """All of them, or how many of how many."""
    assert reason_of(["$.id: missing"], 1) == "$.id: missing"
    assert reason_of(["$[0].id: missing", "$[2]: odd"], 5) == "2 of 5 events: $[0].id: missing; $[2]: odd"
    assert len(reason_of(["x" * 400] * 5, 5)) == DEAD_REASON_CHARS_MAX + 1


@given(st.lists(st.sampled_from([0, 1, DEAD_LETTERS_BYTES_MAX // 2, DEAD_LETTERS_BYTES_MAX + 1]), max_size=200))
def test_they_are_sent_a_few_at_a_time(sizes):
    """In their order, none left out, within both limits but for one that is larger alone."""
    values = {size: b"x" * size for size in sizes}
    every = [dead(values[size]) for size in sizes]
    some = list(at_once(every))
    assert [one for part in some for one in part] == every
    for part in some:
        assert 1 <= len(part) <= DEAD_LETTERS_MAX
        assert len(part) == 1 or sum(len(one.record.value) for one in part) <= DEAD_LETTERS_BYTES_MAX
