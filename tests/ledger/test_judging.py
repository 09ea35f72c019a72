"""The ledger's judgement against a plain one, with and without a memory of what it wrote."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger import append
from core.ledger.unit import Claim, Entry, StaleStream, Unit
from tests.builders import Books, neutral, set_person, stream
from tests.ledger.reference import ReferenceJudge
from tests.postgres import drop, new_database


def unit(*entries, **more):
    return Unit(list(entries), **more)


entries_of = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, 0, -1, 1]), st.booleans()), max_size=3)
wishes = st.tuples(
    st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, -1, 1]), st.booleans()),
    entries_of,
    st.none() | st.integers(0, 4),
    st.sampled_from([None, None, "1", "2", "once"]),
)
memories = st.sampled_from([1, 3, append.RECENT_STREAMS])
commits = st.lists(st.tuples(st.booleans(), st.lists(wishes, min_size=1, max_size=5)), max_size=8)


def wished(judge, wish, once):
    """A unit as somebody who knows the ledger might want it, or nearly."""
    first, others, claim, tenant = wish
    entries, begun = [], Counter()
    for number, off, is_person in [first, *others]:
        begun[number] += 1
        version = max(1, judge.version(stream(number)) + begun[number] + off)
        event = set_person(tenant=f"{number % 2 + 1}") if is_person else neutral().event
        entries.append(Entry(stream(number), version, event))
    condition = once if tenant == "once" else None if tenant is None else judge.condition(tenant)
    return unit(*entries, claim=None if claim is None else Claim("event:1", str(claim)), condition=condition)


@given(commits, memories)
def test_it_answers_as_a_plain_judge_does(commits, recent_streams):
    """However units are put together, and also when nothing is in memory, answers and ledger are the plain judge's."""
    with TemporaryDirectory() as data, pytest.MonkeyPatch.context() as patch:
        patch.setattr(append, "RECENT_STREAMS", recent_streams)
        judge_beside(Path(data), commits)


@settings(max_examples=40)
@given(commits)
def test_postgresql_answers_as_a_plain_judge_does(commits):
    """So does the ledger's function in the database."""
    database = new_database()
    try:
        judge_beside(database, commits)
    finally:
        drop(database)


def judge_beside(place, commits):
    """Give the same units to a ledger and to the plain judge."""
    judge = ReferenceJudge()
    once = judge.condition("1")
    books = Books(place)
    for is_new_process, some in commits:
        if is_new_process:
            books = books.opened_again()
        units, expected = [], []
        for wish in some:
            units.append(wished(judge, wish, once))
            expected.append(judge.answers(units[-1]))
        for answer, right in zip(books.append(*units), expected, strict=True):
            assert answer in right
    held = books.reader.after(0)
    assert [books.appender.directory(tenant) for tenant in ("1", "2")] == [
        judge.condition(tenant).directory for tenant in ("1", "2")
    ]
    books.close()
    assert held == judge.events


def test_a_stream_that_is_there_already_is_found_when_memory_is_cold(books):
    """A new process that is asked to begin a stream anew says how far it is, and takes the units around that."""
    books.append(unit(neutral(1, 1)), unit(neutral(1, 2)), unit(neutral(2, 1)))
    with books.opened_again() as cold:
        units = [unit(neutral(3)), unit(neutral(1)), unit(neutral(2, 2)), unit(neutral(3, 2)), unit(neutral(2))]
        assert cold.append(*units) == [4, StaleStream(stream(1), 2), 5, 6, StaleStream(stream(2), 2)]
