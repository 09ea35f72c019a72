"""Views in PostgreSQL: one follows and the other stands by; a lost connection loses no batch, and writes none twice."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from eventsourcing.persistence import OperationalError

from core.errors import ConflictError, LedgerError
from core.ledger.postgres.migrate import grant
from core.ledger.postgres.views import PostgresViews
from tests.views.house import House
from tests.views.seen import Seen
from tests.views.stores import InDatabase

CUT = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid<>pg_backend_pid() AND pid="


@pytest.fixture(autouse=True)
async def _deadline():
    async with asyncio.timeout(30):
        yield


@pytest.fixture(name="store")
def _store():
    store = InDatabase()
    yield store
    store.close()


@pytest.fixture(name="house")
def _house(tmp_path, store):
    house = House(tmp_path, store)
    yield house
    house.close()


@pytest.fixture(name="views")
def _views(store):
    views = store.open()
    views.begin(Seen.name, Seen.tables)
    yield views
    views.close()


def add(*positions):
    """Writes a row of `seen/1` for each."""
    return lambda writing: writing.insert("seen_1", 1, list(positions))


def seen(views):
    return [at for (at,) in views.rows("SELECT position FROM seen_1 ORDER BY position")]


def cut(store, writing):
    """As when somebody ends the session: the connection notices when it is used."""
    (pid,) = writing.execute("SELECT pg_backend_pid()").fetchone()
    store.tell(f"{CUT}{pid}")


async def test_of_two_who_follow_one_goes_on(house, store):
    """Two followers of one view on two connections: one writes all of it, the other stands by and says so."""
    other = House(house.books.place, store)
    followers = [house.follower(), other.follower()]
    # Both have seen nothing, and both are told of the same events.
    await house.record(3)
    for segment in house.writer.tail.after(0):
        followers[1]._segment(segment)
    assert [follower.taken for follower in followers] == [3, 3]
    await asyncio.gather(*(follower.flush() for follower in followers))
    assert sorted(follower.stands_by for follower in followers) == [False, True]
    (fault,) = [follower.fault for follower in followers if follower.stands_by]
    assert fault == "somebody else follows the view 'seen/1'"
    assert house.seen() == [1, 2, 3]
    other.close()


async def test_a_cut_in_the_middle_of_a_batch_is_made_good(house, store):
    """A connection that breaks between two statements takes nothing with it: the same batch is written a second later,
    on a new one."""

    class Cut(Seen):
        cuts = 2

        def write(self, connection, batch):
            super().write(connection, batch)
            if self.cuts:
                self.cuts -= 1
                cut(store, connection)
                connection.execute("SELECT 1")

    view = Cut()
    follower = house.follower(view)
    await house.record(2)
    flushing = asyncio.create_task(follower.flush())
    await house.until(lambda: follower.fault is not None)
    assert house.seen() == []
    await house.until(flushing.done)
    assert (view.cuts, house.seen(), follower.fault, follower.stands_by) == (0, [1, 2], None, False)


def test_a_lost_answer_to_a_commit_is_not_taken_for_a_rival(views, store):
    """Where a commit came through and its answer did not, the batch that is written again is there already; for
    anybody else it is a conflict, and for ourselves too once the position is another."""
    views.write(Seen.name, 0, 2, add(1, 2))
    # The answer was lost: it is said again, in the same words.
    views.write(Seen.name, 0, 2, add(1, 2))
    assert seen(views) == [1, 2]
    rival = store.open()
    assert rival.begin(Seen.name, Seen.tables) == 2
    for who, previous, position in ((rival, 0, 2), (views, 0, 3), (views, 1, 4)):
        with pytest.raises(ConflictError):
            who.write(Seen.name, previous, position, add(9))
    rival.write(Seen.name, 2, 3, add(3))
    with pytest.raises(ConflictError):
        views.write(Seen.name, 0, 2, add(1, 2))
    assert seen(views) == [1, 2, 3]
    rival.close()


def test_a_broken_connection_is_a_passing_fault(views, store):
    """However a session ends, also for standing still in a transaction, it is a fault that may pass."""

    def stands_still(writing):
        writing.execute("SET LOCAL idle_in_transaction_session_timeout = 1")
        store.tell("SELECT pg_sleep(0.2)")
        writing.execute("SELECT 1")

    with pytest.raises(OperationalError):
        views.write(Seen.name, 0, 1, stands_still)
    with pytest.raises(OperationalError):
        views.write(Seen.name, 0, 1, lambda writing: cut(store, writing))
    views.write(Seen.name, 0, 1, add(1))
    assert seen(views) == [1]


def test_reading_survives_cut_connections(views, store):
    """Who asks notices nothing of connections that broke since the last question."""
    views.write(Seen.name, 0, 1, add(1))
    ((pid,),) = views.rows("SELECT pg_backend_pid()")
    store.tell(f"{CUT}{pid}")
    assert seen(views) == [1]


def test_views_that_are_ahead_of_their_ledger_are_said_so(views, store):
    """Views that have seen what the ledger does not hold mean that it has lost something."""
    views.write(Seen.name, 0, 2, add(1, 2))
    store.open(head=2).close()
    with pytest.raises(LedgerError, match="ends at position 1, and its views have seen 2"):
        store.open(head=1)


def test_a_role_that_was_granted_follows_and_makes_nothing_beside_the_ledger(store):
    """Who was granted the ledger makes views' tables and writes them, but no table or function in the ledger's schema,
    which its function would take for its own."""
    role = f"{store.database.schema}_role"
    with psycopg.connect(store.database.url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN")
        try:
            grant(owner, store.database.schema, role)
            url = psycopg.conninfo.make_conninfo(store.database.url, options=f"-c role={role}")
            views = PostgresViews(url, store.database.schema, b"w" * 16)
            views.begin(Seen.name, Seen.tables)
            views.write(Seen.name, 0, 1, add(1))
            assert seen(views) == [1]
            views.close()
            with psycopg.connect(url) as granted, pytest.raises(psycopg.errors.InsufficientPrivilege):
                granted.execute(f"CREATE TABLE {store.database.schema}.mine (a int)")
        finally:
            owner.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_what_text_cannot_hold_is_replaced(store):
    """A NUL in what a receiver said does not stop a view."""
    views = store.open()
    views.begin("said/1", ("CREATE TABLE IF NOT EXISTS said_1 (number INTEGER PRIMARY KEY, said TEXT)",))
    views.write("said/1", 0, 1, lambda writing: writing.execute("INSERT INTO said_1 VALUES (?, ?)", (1, "a\0b")))
    views.write("said/1", 1, 2, lambda writing: writing.insert("said_1", 2, [2, "\0", 3, "as it was"]))
    views.write("said/1", 2, 3, lambda writing: writing.update("said_1", ("number", "said"), [3, "\0said\0"]))
    assert views.rows("SELECT said FROM said_1 ORDER BY number") == [
        (said.replace("0", "\N{REPLACEMENT CHARACTER}"),) for said in ("a0b", "0", "0said0")
    ]
    views.close()
