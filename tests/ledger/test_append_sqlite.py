"""What only a ledger in a file is asked: whether a commit whose answer was lost has happened, and how it was before."""

from __future__ import annotations

import sqlite3

import pytest

from core.ledger.unit import Claim, Duplicate, Entry, Unit
from tests.builders import Books, neutral, set_group, set_person, stream

CLAIM = Claim("event:1", "a")


@pytest.fixture(name="books")
def _books(tmp_path):
    with Books(tmp_path) as books:
        yield books


def unit(*entries, **more):
    return Unit(list(entries), **more)


class LosesAnswers:
    """The writing connection, whose COMMITs fail: before they are done, or after."""

    def __init__(self, connection, *, is_done):
        self._connection, self._is_done = connection, is_done

    def execute(self, sql, *parameters):
        if sql != "COMMIT":
            return self._connection.execute(sql, *parameters)
        if self._is_done:
            self._connection.execute(sql)
        raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name):
        return getattr(self._connection, name)


def test_a_commit_whose_answer_is_lost_happened(books):
    """Whether a commit happened is asked of the disk: if it did, it is answered as if nothing had been."""
    books.append(unit(neutral(1)))
    connection = books.appender._connection
    books.appender._connection = LosesAnswers(connection, is_done=True)
    assert books.append(unit(neutral(2), claim=CLAIM)) == [2]
    books.appender._connection = connection
    assert books.append(unit(neutral(3), claim=CLAIM), unit(neutral(2, 2))) == [Duplicate(2), 3]


def test_a_commit_that_failed_is_forgotten(books):
    """If it did not, nothing of it is kept, in memory as little as on disk."""
    books.append(unit(neutral(1)))
    before = books.appender.condition("1")
    connection = books.appender._connection
    books.appender._connection = LosesAnswers(connection, is_done=False)
    with pytest.raises(sqlite3.OperationalError):
        books.append(unit(neutral(1, 2), Entry(stream(2), 1, set_person()), claim=CLAIM))
    books.appender._connection = connection
    assert books.append(unit(neutral(1, 2), claim=CLAIM, condition=before)) == [2]


def test_no_position_is_given_twice_whatever_is_deleted(books):
    """The table itself counts, so that its newest row may go."""
    books.append(unit(neutral(1)), unit(neutral(2)))
    assert books.rows("SELECT seq FROM sqlite_sequence WHERE name='events'") == [(2,)]


def test_a_ledger_of_the_first_form_becomes_one_of_the_second(books, tmp_path):
    """Its directories are folded anew from what is recorded; nothing recorded changes."""
    books.append(unit(Entry(stream(1), 1, set_person("p1"))), unit(Entry(stream(2), 1, set_group("g1", tenant="2"))))
    books.append(unit(Entry(stream(1), 2, set_person("p1"))), unit(neutral(5)))
    expected, events = [books.appender.condition(tenant) for tenant in ("1", "2", "3")], books.reader.after(0)
    books.appender.save_snapshot("directory/1", 3, b"versions of the first form")
    books.close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as old:
        old.execute("UPDATE directories SET version=zeroblob(16)")
        old.execute("PRAGMA user_version=1")
    old.close()
    with Books(tmp_path) as again:
        assert [again.appender.condition(tenant) for tenant in ("1", "2", "3")] == expected
        assert again.reader.after(0) == events
        assert again.reader.snapshot("directory/1") is None
        assert again.rows("PRAGMA user_version") == [(2,)]
