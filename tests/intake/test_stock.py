"""A stock of persons records what it changes, and nothing when it is said again."""

from __future__ import annotations

import copy
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from core.people import People
from core.stock import Said, news
from tests.builders import NOW, remove_group, remove_person, set_group, set_person, stream

IDS = st.sampled_from(["anna", "bob"])
GROUPS = st.sampled_from(["g1", "g2"])
TIMES = st.integers(NOW - 3, NOW)
ROLES = st.sampled_from([None, "admin", "user", "guest"])
STATUSES = st.sampled_from([None, "active", "pending", "terminated"])
LISTS = st.none() | st.lists(GROUPS, max_size=2).map(tuple)

PAST = st.lists(
    st.builds(
        set_person,
        IDS,
        time=TIMES,
        role=ROLES,
        status=STATUSES,
        groups=LISTS,
        joins=st.lists(GROUPS, max_size=1).map(tuple),
        leaves=st.lists(GROUPS, max_size=1).map(tuple),
    )
    | st.builds(remove_person, IDS, time=TIMES)
    | st.builds(set_group, GROUPS, time=TIMES)
    | st.builds(remove_group, GROUPS, time=TIMES),
    max_size=6,
)
ANY_TIME = st.none() | TIMES | st.just(NOW + 1) | st.just(NOW + 10_000)
STOCK = st.lists(st.builds(Said, IDS, ROLES, STATUSES, LISTS, ANY_TIME), max_size=5)
ONCE_EACH = st.lists(st.builds(Said, IDS, ROLES, STATUSES, LISTS, ANY_TIME), unique_by=lambda said: said.id)
ALL_OF_A_TIME = st.lists(st.builds(Said, IDS, ROLES, STATUSES, LISTS, TIMES), max_size=5)


def apply(people, event):
    known = people.persons.get(event.id) or people.groups.get(event.id)
    where = (stream(ord(event.id[0]) * 10 + ord(event.id[-1])), 0) if known is None else (known.stream, known.version)
    people.apply(where[0], where[1] + 1, event)


def facts(people):
    return {id: (known.is_known, known.role, known.status, known.groups) for id, known in people.persons.items()}


def asked(people, stock, now=NOW):
    numbers = count(1_000)
    return news("1", people, stock, now, lambda: stream(next(numbers)))


@given(PAST, STOCK)
def test_the_same_stock_twice_is_news_once(past, stock):
    """Whatever is known, and whatever is said: said again, at once or later, there is nothing to record."""
    people = People()
    for event in past:
        apply(people, event)
    for entry in asked(people, stock, NOW + 1):
        people.apply(*entry)
    once = [one for index, one in enumerate(stock) if all(other.id != one.id for other in stock[index + 1 :])]
    assert asked(people, once, NOW + 1) == []
    assert asked(people, once, NOW + 1_000) == []


@given(PAST, ONCE_EACH | ALL_OF_A_TIME)
def test_what_is_recorded_makes_people_what_the_stock_says(past, stock):
    """What is left out would have changed nothing: all of it recorded comes to the same. Somebody who is said twice,
    once without a time, is an exception: that a thing still holds is not recorded, and anything as old may follow."""
    people = People()
    for event in past:
        apply(people, event)
    before = copy.deepcopy((people.persons, people.groups))
    told = asked(people, stock)
    assert (people.persons, people.groups) == before
    plain = People(people.persons.values(), people.groups.values())
    for entry in told:
        known = people.persons.get(entry.event.id)
        assert entry.version == (1 if known is None else known.version + 1)
        assert known is None or entry.stream == known.stream
        people.apply(*entry)
    for one in stock:
        time = NOW if one.time is None else min(one.time, NOW)
        apply(plain, set_person(one.id, time=time, role=one.role, status=one.status, groups=one.groups))
    assert facts(people) == facts(plain)


def test_what_is_not_said_stays():
    """Only what is said is recorded; a person who was not known becomes known by their id alone."""
    people = People()
    apply(people, set_person("anna", time=NOW - 5, role="admin", groups=("g1",)))
    assert asked(people, [Said("anna"), Said("anna", "admin"), Said("anna", groups=("g1",))]) == []
    (entry,) = asked(people, [Said("anna", status="pending")])
    assert (entry.event.role, entry.event.status, entry.event.groups) == (None, "pending", None)
    (entry,) = asked(people, [Said("bob")])
    assert (entry.version, entry.event.cause, entry.event.time) == (1, None, NOW)


def test_an_older_time_changes_nothing_newer():
    """What was said of an earlier time than what is known is no news; of a later one it is, and it is never ahead."""
    people = People()
    apply(people, set_person("anna", time=NOW - 5, role="admin", status="active", groups=()))
    assert asked(people, [Said("anna", "guest", time=NOW - 6)]) == []
    (entry,) = asked(people, [Said("anna", "guest", time=NOW + 60_000)])
    assert entry.event.time == NOW
