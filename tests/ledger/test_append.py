"""Units are judged in order, each with its neighbours; what holds is committed at once. On SQLite and PostgreSQL."""

from __future__ import annotations

from uuid import UUID

import pytest
from eventsourcing.application import LocalNotificationLog

from core.ledger.fault import FAULTS
from core.ledger.unit import (
    ZERO_VERSION,
    Body,
    Claim,
    Condition,
    Duplicate,
    Entry,
    Sealed,
    StaleDirectory,
    StaleStream,
    Unit,
    Unwritable,
    chain,
)
from core.model import catalogue
from tests.builders import NOW, create_webhook, neutral, set_group, set_person, stream

CLAIM = Claim("event:1", "a")


def unit(*entries, **more):
    return Unit(list(entries), **more)


def test_a_refused_unit_does_not_hurt_its_neighbours(books):
    """Around a unit that does not hold the others get their positions, without a gap."""
    answers = books.append(unit(neutral(1)), unit(neutral(2), neutral(3, 5)), unit(neutral(2)))
    assert answers == [1, StaleStream(stream(3), 0), 2]
    assert [(each.position, each.stream, each.version) for each in books.reader.after(0)] == [
        (1, stream(1), 1),
        (2, stream(2), 1),
    ]


@pytest.mark.parametrize(
    "event",
    [set_person("\ud800"), set_person("p9", time=2**70), set_person("p9", tenant="\udc00"), "no event"],
    ids=["half a character", "a long number", "half a tenant", "no event"],
)
def test_what_cannot_be_stored_does_not_hurt_its_neighbours(books, event):
    """A unit that no encoder takes is answered so, whole, and leaves its claim, streams and directory untouched."""
    before = books.appender.condition("1")
    wrong = unit(Entry(stream(2), 1, set_person("p1")), Entry(stream(3), 1, event), claim=CLAIM)
    answers = books.append(unit(neutral(1)), wrong, unit(neutral(2), claim=CLAIM, condition=before), unit(neutral(3)))
    assert answers[:1] + answers[2:] == [1, 2, 3]
    assert isinstance(answers[1], Unwritable)
    assert [each.stream for each in books.reader.after(0)] == [stream(1), stream(2), stream(3)]


def test_a_claim_that_cannot_be_stored_hurts_nobody(books):
    """A claim on a name that is no text in UTF-8 is a claim as any other."""
    odd = Claim("event:1", "\ud800")
    assert books.append(unit(neutral(1), claim=odd), unit(neutral(2), claim=odd)) == [1, Duplicate(1)]


def test_a_unit_may_build_on_the_one_before_it(books):
    """Within one commit a unit finds the streams as the units before it left them, and a later one finds its own."""
    assert books.append(unit(neutral(1, 1)), unit(neutral(1, 2)), unit(neutral(1, 2)), unit(neutral(1, 3))) == [
        1,
        2,
        StaleStream(stream(1), 2),
        3,
    ]


def test_several_events_of_one_stream_in_one_unit(books):
    """A unit may go on with a stream more than once, and must not leave anything out."""
    first = unit(neutral(1, 1), neutral(2, 1), neutral(1, 2))
    assert books.append(first, unit(neutral(1, 3), neutral(1, 5)), unit(neutral(1, 3), neutral(1, 3))) == [
        1,
        StaleStream(stream(1), 2),
        StaleStream(stream(1), 2),
    ]
    assert books.append(unit(neutral(1, 3), neutral(1, 4))) == [4]


@pytest.mark.parametrize("version", [1, 2, 4, 9])
def test_a_stream_has_one_next_version(version, books):
    """Anything else than one more than what is there is stale, behind as well as ahead."""
    books.append(unit(neutral(1, 1)), unit(neutral(1, 2)))
    assert books.append(unit(neutral(1, version))) == [StaleStream(stream(1), 2)]
    assert books.append(unit(neutral(1, 3))) == [3]


def test_a_claim_is_taken_once(books):
    """Whoever comes second, in the same commit or later, is told where the first one is."""
    taken = [unit(neutral(number), claim=CLAIM) for number in (1, 2, 3)]
    assert books.append(unit(neutral(9)), taken[0], taken[1]) == [1, 2, Duplicate(2)]
    assert books.append(taken[2]) == [Duplicate(2)]
    others = [Claim("event:2", "a"), Claim("event:1", "b"), Claim("key:1", "a")]
    assert books.append(*[unit(neutral(10 + n), claim=claim) for n, claim in enumerate(others)]) == [3, 4, 5]


def test_a_claim_of_a_refused_unit_is_free(books):
    """The second waits for the first's fate: if that is refused, the claim is the second's."""
    stale = Condition("1", b"x" * 16, ZERO_VERSION)
    units = [unit(neutral(1), claim=CLAIM, condition=stale), unit(neutral(2, 7), claim=CLAIM)]
    answers = books.append(*units, unit(neutral(3), claim=CLAIM), unit(neutral(4), claim=CLAIM))
    assert answers == [StaleDirectory("1"), StaleStream(stream(2), 0), 1, Duplicate(1)]


def test_a_duplicate_is_a_duplicate_whatever_else_is_wrong_with_it(books):
    """Whose claim is taken is told so, also where condition and streams are stale."""
    books.append(unit(neutral(1), claim=CLAIM))
    stale = Condition("1", b"x" * 16, ZERO_VERSION)
    assert books.append(unit(neutral(1), claim=CLAIM, condition=stale)) == [Duplicate(1)]


def test_a_condition_names_the_directory_as_it_is(books):
    """A tenant's directory moves with its people and webhooks, and with nothing else, and no other tenant's does."""
    before = books.appender.condition("1")
    assert before == Condition("1", ZERO_VERSION, ZERO_VERSION)
    person = Entry(stream(1), 1, set_person(tenant="2"))
    webhook = Entry(stream(2), 1, create_webhook(tenant="1"))
    answers = books.append(
        unit(person, condition=before),
        unit(neutral(3), condition=before),
        unit(webhook, condition=before),
        unit(neutral(4), condition=before),
        unit(neutral(4), condition=before._replace(directory=chain(ZERO_VERSION, *webhook))),
    )
    assert answers == [1, 2, 3, StaleDirectory("1"), 4]
    assert books.append(unit(neutral(5), condition=before)) == [StaleDirectory("1")]
    assert books.append(unit(neutral(5), condition=books.appender.condition("1"))) == [5]


def test_another_catalogue_makes_all_conditions_stale(books):
    """Which plugins read events is a part of what was decided on, in every tenant."""
    conditions = [books.appender.condition(tenant) for tenant in ("1", "2")]
    changed = Entry(stream(1), 1, catalogue.Changed("", NOW, {"users": "2"}))
    answers = books.append(unit(changed), *[unit(neutral(2), condition=condition) for condition in conditions])
    assert answers == [1, StaleDirectory("1"), StaleDirectory("2")]
    assert books.append(unit(neutral(2), condition=books.appender.condition("1"))) == [2]


def test_the_directory_version_is_a_chain(books):
    """It is a hash over all that moved it, in order; another order, another stream or another cause is another one."""
    entries = [
        Entry(stream(1), 1, set_person("p1", cause=stream(7))),
        Entry(stream(2), 1, set_group("g1")),
        Entry(stream(1), 2, set_person("p1", cause=stream(8))),
    ]
    for entry in entries:
        books.append(unit(entry))
    version = ZERO_VERSION
    for entry in entries:
        version = chain(version, *entry)
    assert books.appender.condition("1").directory == version
    looks = {version, ZERO_VERSION, chain(version, stream(1), 3, set_person("p1"))}
    looks |= {chain(version, stream(1), 3, set_person("p1", cause=stream(n))) for n in (7, 8)}
    looks |= {chain(version, stream(2), 3, set_person("p1")), chain(ZERO_VERSION, stream(1), 3, set_person("p1"))}
    assert len(looks) == 7
    with books.opened_again() as again:
        assert again.appender.condition("1").directory == version


def test_positions_go_on_where_they_were(books):
    """Nothing that was refused or rolled back takes a position, and none is given twice, also by the next process."""
    books.append(unit(neutral(1)), unit(neutral(1)), unit(neutral(2), neutral(3)))
    with pytest.raises(FAULTS):
        books.append(unit(neutral(4)), unit(neutral(5), bodies=(Body(0, bytes(16), None),)))
    assert books.append(unit(neutral(4))) == [4]
    with books.opened_again() as again:
        assert again.append(unit(neutral(4)), unit(neutral(5))) == [StaleStream(stream(4), 1), 5]
        assert [each.position for each in again.reader.after(0)] == [1, 2, 3, 4, 5]
        assert again.rows("SELECT first, last FROM commits ORDER BY last") == [(1, 3), (4, 4), (5, 5)]


def test_a_commit_of_nothing_leaves_no_trace(books):
    """Where every unit is refused, no commit is written down, and the ledger's end stays where it is."""
    books.append(unit(neutral(1)))
    appended = books.appender.append([unit(neutral(1)), unit(neutral(1))], NOW)
    assert (appended.previous, appended.last) == (1, 1)
    assert books.rows("SELECT count(*) FROM commits") == [(1,)]


def test_the_time_of_commits_never_goes_back(books):
    """However the clock jumps, order by time is order by position; also for the next process."""
    for number, at in enumerate([NOW, NOW - 5_000, NOW + 10, NOW + 3], 1):
        books.append(unit(neutral(number)), at=at)
    with books.opened_again() as again:
        again.append(unit(neutral(5)), at=0)
        times = [again.reader.committed_at(position) for position in range(1, 7)]
        assert times == [NOW, NOW, NOW + 10, NOW + 10, NOW + 10, None]
        assert [again.reader.as_of(at) for at in (NOW - 1, NOW, NOW + 9, NOW + 10, NOW + 99)] == [0, 2, 2, 5, 5]


def test_bodies_and_secrets_stand_beside_their_events(books):
    """A body is found by its event's position, a secret by its id; those of a refused unit are not kept."""
    salt = bytes(16)
    bodies = (Body(0, salt, b"sent", b"shaped"), Body(2, salt, b"answer"))
    secret = Sealed(stream(50), stream(1), b"sealed")
    entries = [neutral(1), neutral(2), neutral(3)]
    books.append(unit(neutral(8)), unit(neutral(8), bodies=(Body(0, salt, b"lost"),)))
    books.append(
        unit(neutral(9)),
        unit(*entries, bodies=bodies, secrets=(secret,)),
        unit(neutral(9), bodies=(Body(0, salt, b"lost"),), secrets=(Sealed(stream(51), stream(1), b"lost"),)),
    )
    assert books.reader.bodies(range(10)) == {3: Body(0, salt, b"sent", b"shaped"), 5: Body(0, salt, b"answer")}
    assert books.reader.secret(stream(50)) == b"sealed"
    assert books.reader.secret(stream(51)) is None


def test_the_librarys_own_readers_read_it(books):
    """What the library promises of an application's recorder holds for ours."""
    recorder = books.recorder
    assert recorder.max_notification_id() is None
    books.append(*[unit(neutral(1, version)) for version in range(1, 8)], unit(Entry(stream(2), 1, set_person())))
    id = UUID(bytes=stream(1))
    assert recorder.max_notification_id() == 8
    stored = recorder.select_events(id)
    assert [event.originator_version for event in stored] == [1, 2, 3, 4, 5, 6, 7]
    assert {(event.originator_id, event.topic) for event in stored} == {(id, "Delivery.Created/1")}
    some = recorder.select_events(id, gt=2, lte=6, desc=True, limit=3)
    assert [event.originator_version for event in some] == [6, 5, 4]
    assert [found.id for found in recorder.select_notifications(2, 3)] == [2, 3, 4]
    assert [found.id for found in recorder.select_notifications(2, 3, inclusive_of_start=False)] == [3, 4, 5]
    assert [found.id for found in recorder.select_notifications(None, 99, stop=2)] == [1, 2]
    assert [found.id for found in recorder.select_notifications(1, 99, topics=["Person.Set/1"])] == [8]
    log = LocalNotificationLog(recorder, section_size=5)
    section = log["1,5"]
    assert [item.id for item in section.items] == [1, 2, 3, 4, 5]
    assert section.next_id == "6,10"
    assert [item.id for item in log.select(6, 5)] == [6, 7, 8]
    assert all(item.state == event.state for item, event in zip(section.items, stored, strict=False))
