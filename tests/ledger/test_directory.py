"""The directory is the fold of the ledger, whatever was applied early and taken back, and from wherever it starts."""

from __future__ import annotations

import copy

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.directory import Directory
from core.ledger.unit import ZERO_VERSION, Recorded, chain
from core.people import People
from tests.builders import NOW, create_webhook, remove_group, remove_person, set_group, set_person, stream
from tests.ledger.stories import histories, in_streams, people_changes, stream_of

ONE = st.just("1")


def everything(directory):
    """All that a directory is made of, to be compared."""
    tenants = {name: contents(tenant) for name, tenant in directory.tenants.items()}
    return {
        "tenants": {name: all_of_it for name, all_of_it in tenants.items() if all_of_it["version"] != ZERO_VERSION},
        "position": directory.position,
        "webhooks": directory.webhooks,
        "by number": directory.by_number,
        "tokens": directory.tokens,
        "plugins": (directory.plugins, directory.catalogue_stream_version, directory.catalogue),
    }


def contents(tenant):
    indexes = [tenant._by_trigger, tenant._by_target]
    return {
        "version": tenant.version,
        "persons": tenant.people.persons,
        "groups": tenant.people.groups,
        "members": tenant.people._members,
        "everything": tenant._everything,
        "indexes": [{key: found for key, found in index.items() if found} for index in indexes],
    }


def folded(recorded):
    directory = Directory()
    directory.apply(recorded)
    return directory


def positioned(entries, after=0):
    return [Recorded(after + number, *entry) for number, entry in enumerate(entries, 1)]


@settings(max_examples=60)
@given(histories(), st.data())
def test_a_snapshot_and_the_rest_are_the_fold(history, data):
    """Wherever the snapshot was taken: restored, and with what came after it, it is the fold of the whole history."""
    cut = data.draw(st.integers(0, len(history)))
    restored = Directory.restored(folded(history[:cut]).snapshot())
    assert everything(restored) == everything(folded(history[:cut]))
    restored.apply(history[data.draw(st.integers(0, cut)) :])
    assert everything(restored) == everything(folded(history))


@settings(max_examples=60)
@given(histories())
def test_the_version_is_the_chain_of_what_moved_it(history):
    """Each tenant's version is the one the ledger computes, and the condition names it with the catalogue's."""
    versions = {}
    for _, where, version, event in history:
        if type(event).__module__ != "core.model.token":
            versions[event.tenant] = chain(versions.get(event.tenant, ZERO_VERSION), where, version, event)
    directory = folded(history)
    for tenant in ("1", "2"):
        condition = directory.condition(tenant)
        assert condition.directory == versions.get(tenant, ZERO_VERSION)
        assert condition.catalogue == versions.get("", ZERO_VERSION)


@settings(max_examples=60)
@given(st.lists(people_changes()), st.lists(st.lists(people_changes(tenants=ONE), min_size=1), max_size=4), st.data())
def test_taking_back_leaves_everything_as_it_was(before, batches, data):
    """Whatever was applied early, from any of it on it can be dropped, and nothing shows that it ever was there."""
    versions = {}
    directory = folded(positioned(in_streams(before, versions)))
    states, early = [copy.deepcopy(everything(directory))], []
    for batch in batches:
        early.append(directory.apply_early("1", in_streams(batch, versions)))
        states.append(copy.deepcopy(everything(directory)))
    for place in data.draw(st.permutations(range(len(early)))):
        is_there_still = not early[place].is_undone
        directory.undo(early[place])
        if is_there_still:
            states = states[: place + 1]
        assert everything(directory) == states[-1]
        assert all(each.is_undone for each in early[len(states) - 1 :])


@settings(max_examples=60)
@given(st.lists(people_changes()), st.lists(people_changes(tenants=ONE), min_size=1))
def test_early_is_as_good_as_recorded(before, changes):
    """Applied early and kept, changes make the same directory as when they come out of the ledger; once, not twice."""
    versions = {}
    known = positioned(in_streams(before, versions))
    entries = in_streams(changes, versions)
    recorded = positioned(entries, after=len(known))
    directory = folded(known)
    directory.keep(directory.apply_early("1", entries))
    early = {**everything(directory), "position": len(known) + len(entries)}
    directory.apply(recorded)
    assert everything(directory) == everything(folded(known + recorded)) == early


@settings(max_examples=60)
@given(st.lists(people_changes()), st.lists(people_changes(tenants=ONE), min_size=1), people_changes(tenants=ONE))
def test_what_comes_first_in_the_ledger_drops_what_was_early(before, changes, foreign):
    """A change that nobody here expected makes the directory the fold of the ledger, also where both were about the
    same person; and what was dropped, and is recorded all the same, comes out of the ledger like anything else."""
    versions = {}
    known = positioned(in_streams(before, versions))
    directory = folded(known)
    early = directory.apply_early("1", in_streams(changes, dict(versions)))
    known += positioned(in_streams([foreign], versions), after=len(known))
    directory.apply(known[-1:])
    assert early.is_undone
    assert everything(directory) == everything(folded(known))
    directory.undo(early)
    directory.keep(early)
    again = positioned(in_streams(changes, versions), after=len(known))
    directory.apply(again)
    assert everything(directory) == everything(folded(known + again))


def test_another_tenants_change_drops_nothing():
    """What is early in one tenant stays, whatever the ledger says of another."""
    directory = Directory()
    early = directory.apply_early("1", in_streams([set_person("p1")], {}))
    directory.apply(positioned(in_streams([set_person("p1", tenant="2")], {})))
    assert not early.is_undone
    assert directory.tenant("1").people.person("p1") is not None


def test_a_webhook_of_somebody_else_drops_what_was_early():
    """A webhook that nobody here expected is a change of the directory like any other."""
    directory = Directory()
    early = directory.apply_early("1", in_streams([set_person("p1")], {}))
    directory.apply([Recorded(1, stream(1), 1, create_webhook())])
    assert early.is_undone
    assert everything(directory) == everything(folded([Recorded(1, stream(1), 1, create_webhook())]))


# Who is who: the newest fact wins, in whatever order facts become known.


def facts(people):
    """All that is known in the end, without how many changes it took."""
    persons = {id: msgspec.structs.replace(known, version=0) for id, known in people.persons.items()}
    groups = {id: msgspec.structs.replace(known, version=0) for id, known in people.groups.items()}
    return persons, groups, people._members


@settings(max_examples=60)
@given(st.lists(people_changes(times=st.just(0), tenants=ONE), max_size=8), st.data())
def test_the_order_in_which_facts_become_known_does_not_matter(changes, data):
    """Changes that happened at different times come to the same in whatever order they arrive."""
    happened = [(type(change))(**fields(change) | {"time": time}) for time, change in enumerate(changes)]
    arrived = data.draw(st.permutations(happened))
    in_order, as_it_came = People(), People()
    for people, order in ((in_order, happened), (as_it_came, arrived)):
        for number, change in enumerate(order, 1):
            people.apply(stream_of(change), number, change)
    assert facts(as_it_came) == facts(in_order)


def fields(change):
    return {name: getattr(change, name) for name in change.__struct_fields__}


def people_of(*changes):
    people = People()
    for number, change in enumerate(changes, 1):
        people.apply(stream_of(change), number, change)
    return people


def test_an_older_word_on_one_fact_leaves_the_others_alone():
    """Each fact has its own time: a late word on the role does not stand in the way of an early one on the status."""
    people = people_of(
        set_person(role="admin", time=5),
        set_person(role="guest", status="pending", time=3, joins=("g1",)),
        set_person(groups=("g2",), time=2),
    )
    known = people.person("p1")
    assert (known.role, known.status, known.groups) == ("admin", "pending", {"g1", "g2"})
    assert set(people.members("g1")) == {"p1"}


@pytest.mark.parametrize("late", [False, True])
def test_whoever_was_removed_comes_back_as_a_newcomer(late):
    """What was said of a person before they were removed does not count afterwards, also if the removal comes late."""
    before = set_person(role="admin", status="terminated", groups=("g1",), time=1)
    removed, back = remove_person(time=3), set_person(joins=("g2",), time=5)
    known = people_of(*((before, back, removed) if late else (before, removed, back))).person("p1")
    assert (known.role, known.status, known.groups) == ("user", "active", {"g2"})
    assert people_of(before, removed, set_person(role="admin", time=2)).person("p1") is None


def test_a_group_that_is_gone_has_nobody_but_who_joined_since():
    """A removal of a group outweighs what is not newer than it, whichever was heard of first."""
    older, same, newer = (set_person(f"p{time}", time=time, joins=("g1",)) for time in (1, 2, 3))
    gone = remove_group(time=2)
    for order in ((older, same, newer, gone), (gone, newer, same, older), (older, gone, same, newer)):
        people = people_of(*order)
        assert set(people.members("g1")) == {"p3"}
        assert not people.has_group("g1")
    assert people_of(gone, set_group(time=2)).has_group("g1")
    assert not people_of(gone, set_group(time=1)).has_group("g1")


def test_of_two_at_the_same_time_the_later_in_the_ledger_counts():
    """Where time does not decide, the order of the ledger does."""
    known = people_of(
        set_person(role="admin", joins=("g1",), time=NOW),
        set_person(role="user", leaves=("g1",), joins=("g2",), time=NOW),
    ).person("p1")
    assert (known.role, known.groups) == ("user", {"g2"})
