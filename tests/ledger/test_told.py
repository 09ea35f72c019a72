"""A commit on PostgreSQL tells other processes, where there are any; whoever comes misses nothing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from core.ledger.unit import Entry, Unit
from tests.builders import WAIT_S, Books, set_person, stream
from tests.postgres import cut, drop, new_database

END = "that was all"
WAITS = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type='Lock' AND wait_event='advisory' AND query ~ '8421'"
)


@pytest.fixture(name="database")
def _database():
    database = new_database()
    yield database
    drop(database)


@contextmanager
def listener(database):
    """Answers what was told in a database's schema until it is asked, each time it is asked."""
    with psycopg.connect(database.url, autocommit=True) as listening:
        listening.execute("LISTEN hookledger")

        def heard():
            listening.execute("SELECT pg_notify('hookledger', %s)", (f"{database.schema} {END}",))
            found = []
            for told in listening.notifies(timeout=WAIT_S):
                schema, rest = told.payload.split(" ", 1)
                if schema == database.schema and rest == END:
                    return found
                if schema == database.schema:
                    found.append(int(rest.split()[0]))
            raise AssertionError("notifications do not come")

        yield heard


def told(number):
    return Unit([Entry(stream(number), 1, set_person(f"p{number}"))])


def test_who_is_alone_tells_nobody(database):
    """One process notifies of nothing, as there is nobody who would have to hear it."""
    with listener(database) as heard, Books(database) as books:
        for number in range(1, 4):
            books.append(told(number))
        assert heard() == []


def test_each_commit_is_told_while_another_process_is_there(database):
    """Of two, each tells where the ledger ends after what it has recorded."""
    with listener(database) as heard, Books(database) as one, Books(database) as other:
        one.append(told(1))
        other.append(told(2), told(3))
        assert heard() == [1, 3]
        # What is refused is nothing that others would have to hear of.
        one.append(told(1))
        assert heard() == []


def test_who_comes_during_a_commit_waits_for_its_end_and_sees_it(database):
    """What was not told, because nobody was there, is in the ledger before the one who comes looks."""
    with Books(database) as books, ThreadPoolExecutor(1) as thread, psycopg.connect(database.url) as asking:
        asking.autocommit = True
        connection = books.appender._connection
        connection.execute("BEGIN")
        books.append(told(1))
        coming = thread.submit(Books, database)
        deadline = time.monotonic() + WAIT_S
        while asking.execute(WAITS).fetchone() == (0,):
            assert time.monotonic() < deadline
        assert not coming.done()
        connection.execute("COMMIT")
        other = coming.result(WAIT_S)
        assert other.appender.last == 1
        with listener(database) as heard:
            books.append(told(2))
            assert heard() == [2]
        other.close()


def test_a_look_makes_good_what_a_cut_took(database):
    """A process whose connections were cut is told again from its next look on, and has missed nothing."""
    with Books(database) as one, Books(database) as other:
        cut(database)
        one.append(told(1))
        assert other.appender.look().last == 1
        with listener(database) as heard:
            one.append(told(2))
            assert heard() == [2]
