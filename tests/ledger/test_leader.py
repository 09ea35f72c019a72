"""Which of several processes leads: claims, leases and marks in a real database, whose time alone counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic

import psycopg
import pytest
from eventsourcing.persistence import OperationalError, PersistenceError

from core.errors import ConflictError
from core.ledger.postgres.leader import Leader
from core.ledger.postgres.migrate import grant
from core.ledger.postgres.views import PostgresViews
from core.ledger.store import Database
from core.limits import LEASE_S, MARK_S
from tests.builders import WAIT_S
from tests.ledger.wire import Wire
from tests.postgres import cut, drop, new_database

AGO = "clock_timestamp() - interval '1 millisecond'"
VIEW = ("said/1", ("CREATE TABLE IF NOT EXISTS said_1 (number INTEGER PRIMARY KEY)",))


@pytest.fixture(name="database")
def _database():
    database = new_database()
    yield database
    drop(database)


@pytest.fixture(name="leaders")
def _leaders(database):
    leaders = [Leader(database, name) for name in (b"first", b"second")]
    yield leaders
    for leader in leaders:
        leader.close()


@contextmanager
def asked(database):
    """A connection of nobody's."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {database.schema}")
        yield connection


def tell(database, sql):
    with asked(database) as connection:
        connection.execute(sql)


def rows(database, sql):
    with asked(database) as connection:
        return connection.execute(sql).fetchall()


def end_lease(database):
    """As if its leader had not been heard of for LEASE_S."""
    tell(database, f"UPDATE leader SET until = {AGO}")


def marked(database):
    """(term, number, attempts by delivery) of all marks."""
    found = rows(database, "SELECT term, number, deliveries, attempts FROM marks ORDER BY term, number")
    return [(term, number, dict(zip(*of, strict=True))) for term, number, *of in found]


def waits(connection, doing, what):
    """Wait until somebody waits for a lock; what *doing* does must not have come to its end."""
    until = monotonic() + WAIT_S
    while connection.execute("SELECT FROM pg_locks WHERE NOT granted").fetchone() is None:
        assert monotonic() < until, f"{what} does not wait"
        assert not doing.done(), f"{what} did not wait: {doing.result()}"


def test_of_two_one_leads_as_long_as_its_lease_runs(leaders, database):
    """Nobody begins a term before the lease of the one before is over; then it is the next number."""
    first, second = leaders
    assert first.claim() == 1
    assert (first.claim(), second.claim()) == (None, None)
    end_lease(database)
    assert second.claim() == 2
    assert (first.claim(), first.renew(1), second.renew(2)) == (None, False, True)
    assert rows(database, "SELECT term, holder FROM leader") == [(2, b"second")]


def test_a_lease_runs_from_the_renewal(leaders, database):
    """Each renewal makes it LEASE_S from then on, by the database's clock."""
    (leader, _), left_s = leaders, "SELECT extract(epoch FROM until - clock_timestamp()) FROM leader"
    leader.claim()
    tell(database, "UPDATE leader SET until = clock_timestamp() + interval '1 day'")
    assert leader.renew(1)
    ((left,),) = rows(database, left_s)
    assert 0 < left <= LEASE_S


def test_who_slept_while_nobody_else_came_leads_on(leaders, database):
    """A term is over when another one has begun, not before."""
    first, second = leaders
    first.claim()
    end_lease(database)
    assert first.mark(1, [(7, 1)], ()) is not None
    assert first.renew(1)
    assert second.claim() is None


def test_who_stops_lets_another_lead_at_once(leaders, database):
    """What it has under way stays marked; and said late, of a term that is over anyway, it changes nothing."""
    first, second = leaders
    first.claim()
    number = first.mark(1, [(7, 1)], ())
    first.release(1)
    assert (second.claim(), marked(database)) == (2, [(1, number, {7: 1})])
    first.release(1)
    assert (first.claim(), second.renew(2)) == (None, True)
    assert first.mark(1, [(8, 1)], ()) is None


def test_whose_term_is_over_can_mark_nothing_and_write_no_view(leaders, database):
    """Also when it has slept through the end of its term, and asks before it has looked."""
    first, second = leaders
    first.claim()
    views = PostgresViews(*database, b"v" * 16)
    views.term = 1
    views.begin(*VIEW)
    views.write("said/1", 0, 1, lambda writing: writing.execute("INSERT INTO said_1 VALUES (1)"))
    number = first.mark(1, [(7, 1), (8, 2)], ())
    before = marked(database)
    assert before == [(1, number, {7: 1, 8: 2})]
    end_lease(database)
    assert second.claim() == 2
    assert first.mark(1, [(9, 1)], [number]) is None
    with pytest.raises(ConflictError, match="leads now"):
        views.write("said/1", 1, 2, lambda writing: writing.execute("INSERT INTO said_1 VALUES (2)"))
    assert marked(database) == before
    assert views.rows("SELECT number FROM said_1") == [(1,)]
    assert views.seen() == {"said/1": 1}
    # Who was never told that it leads writes nothing either.
    views.term = 0
    with pytest.raises(ConflictError):
        views.write("said/1", 1, 2, lambda _writing: None)
    views.close()


def test_a_claim_waits_for_what_is_just_being_written(leaders, database):
    """A view's batch that was begun under the old term is committed before the new one begins, whole; a renewal waits
    for neither."""
    first, second = leaders
    first.claim()
    views = PostgresViews(*database, b"v" * 16)
    views.term = 1
    views.begin(*VIEW)
    with ThreadPoolExecutor(1) as thread, asked(database) as looking:
        claims = []

        def fill(writing):
            assert first.renew(1)
            end_lease(database)
            claims.append(thread.submit(second.claim))
            waits(looking, claims[0], "a claim")
            writing.execute("INSERT INTO said_1 VALUES (1)")

        views.write("said/1", 0, 1, fill)
        assert claims[0].result(WAIT_S) == 2
    assert views.rows("SELECT number FROM said_1") == [(1,)]
    views.close()


def test_a_claim_that_waited_heeds_a_renewal_meanwhile(leaders, database):
    """Who has renewed its lease while another waited for its batch leads on."""
    first, second = leaders
    first.claim()
    with ThreadPoolExecutor(1) as thread, asked(database) as writing, asked(database) as looking:
        with writing.transaction():
            writing.execute("SELECT FROM leader WHERE term = 1 FOR KEY SHARE")
            end_lease(database)
            claim = thread.submit(second.claim)
            waits(looking, claim, "a claim")
            assert first.renew(1)
        assert claim.result(WAIT_S) is None
    assert first.mark(1, [(7, 1)], ()) is not None


def test_a_mark_that_meets_a_new_term_is_refused(leaders, database):
    """It waits for a claim that is just being committed, and finds its own term over."""
    first, _ = leaders
    first.claim()
    with ThreadPoolExecutor(1) as thread, asked(database) as claiming, asked(database) as looking:
        with claiming.transaction():
            claiming.execute("UPDATE leader SET term = term + 1, until = clock_timestamp() + interval '3 s'")
            mark = thread.submit(first.mark, 1, [(7, 1)], ())
            waits(looking, mark, "a mark")
        assert mark.result(WAIT_S) is None
    assert marked(database) == []


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_mark_that_is_said_again_is_there_once(database, tmp_path_factory, is_committed):
    """Whether it was the question that was lost with its connection, or only the answer: nothing is left behind that
    nobody would ever say is over."""
    wire = Wire(database.url, tmp_path_factory.mktemp("w"))
    leader = Leader(Database(wire.url, database.schema), b"cut off")
    leader.claim()
    first = leader.mark(1, [(7, 1)], ())
    if is_committed:
        wire.loses_answer = b"INSERT 0 1\0"
    else:
        wire.loses_request = b"INSERT INTO marks"
    with pytest.raises(OperationalError):
        leader.mark(1, [(8, 1), (9, 3)], [first])
    assert wire.cuts == 1
    number = leader.mark(1, [(8, 1), (9, 3)], [first])
    assert marked(database) == [(1, number, {8: 1, 9: 3})]
    following = leader.mark(1, [(8, 2)], [number])
    assert following != number
    assert marked(database) == [(1, following, {8: 2})]
    leader.close()
    wire.close()


def test_a_connection_that_was_cut_is_made_again(leaders, database):
    """The question that met it fails, the next one is answered."""
    leader, _ = leaders
    leader.claim()
    cut(database)
    with pytest.raises(OperationalError):
        leader.renew(1)
    assert leader.renew(1)


def test_a_database_that_is_away_is_a_fault_and_no_answer(leaders, database):
    """Nobody is told that their term is over because nobody answers."""
    leader = Leader(Database("postgresql://127.0.0.1:1/none", database.schema), b"x")
    for question in (leader.claim, lambda: leader.renew(1), lambda: leader.mark(1, [(7, 1)], ()), leader.marks):
        with pytest.raises(PersistenceError):
            question()


def test_marks_are_found_as_long_as_they_run_and_then_forgotten(leaders, database):
    """The next leader finds what may still be under way, and for how long; what is over it removes."""
    first, second = leaders
    first.claim()
    first.mark(1, [(7, 1), (8, 4)], ())
    first.mark(1, [(9, 1)], ())
    tell(database, f"UPDATE marks SET until = {AGO} WHERE number = 1")
    end_lease(database)
    second.claim()
    (mark,) = second.marks()
    assert (mark.term, mark.attempts) == (1, {9: 1})
    assert 0 < mark.left_s <= MARK_S
    assert marked(database) == [(1, 2, {9: 1})]
    second.forget(1)
    assert (second.marks(), marked(database)) == ([], [])


def test_marks_that_are_over_go_with_the_next(leaders, database):
    """Those of this term with these numbers, and no others."""
    first, second = leaders
    first.claim()
    numbers = [first.mark(1, [(delivery, 1)], ()) for delivery in (7, 8, 9)]
    assert len(set(numbers)) == 3
    last = first.mark(1, [(10, 1)], [numbers[0], numbers[2]])
    assert marked(database) == [(1, numbers[1], {8: 1}), (1, last, {10: 1})]
    end_lease(database)
    second.claim()
    number = second.mark(2, [(11, 1)], numbers)
    assert marked(database) == [(1, numbers[1], {8: 1}), (1, last, {10: 1}), (2, number, {11: 1})]


def test_a_role_that_was_granted_may_lead(database):
    """`hookledger migrate --grant` lets it claim, renew, mark and release, and make no other row of who leads."""
    role = f"{database.schema}_role"
    with asked(database) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN")
        try:
            grant(owner, database.schema, role)
            url = psycopg.conninfo.make_conninfo(database.url, options=f"-c role={role}")
            leader = Leader(Database(url, database.schema), b"granted")
            assert (leader.claim(), leader.renew(1)) == (1, True)
            number = leader.mark(1, [(7, 1)], ())
            assert [mark.attempts for mark in leader.marks()] == [{7: 1}]
            assert leader.mark(1, [(7, 2)], [number]) is not None
            leader.forget(1)
            leader.release(1)
            assert leader.claim() == 2
            leader.close()
            with psycopg.connect(url) as granted, pytest.raises(psycopg.errors.InsufficientPrivilege):
                granted.execute(f"DELETE FROM {database.schema}.leader")
        finally:
            owner.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
