"""A connection to PostgreSQL that breaks: what was asked is asked again, and happens once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from eventsourcing.persistence import OperationalError
from psycopg.pq import TransactionStatus

from core.ledger.fault import in_words
from core.ledger.store import Database
from core.ledger.unit import Claim, Duplicate, Entry, StaleDirectory, StaleStream, Unit
from tests.builders import NOW, WAIT_S, Books, neutral, set_person, stream
from tests.ledger.wire import CALLS, COMMIT, DONE, Wire
from tests.postgres import cut, drop, new_database

CLAIM = Claim("event:1", "a")


def unit(*entries, **more):
    return Unit(list(entries), **more)


@pytest.fixture(name="database")
def _database():
    database = new_database()
    yield database
    drop(database)


@pytest.fixture(name="wire")
def _wire(database, tmp_path_factory):
    # A socket's path must be short.
    wire = Wire(database.url, tmp_path_factory.mktemp("w"))
    yield wire
    wire.close()


@pytest.fixture(name="books")
def _books(wire, database):
    with Books(Database(wire.url, database.schema)) as books:
        books.append(unit(neutral(1)))
        yield books


UNITS = [
    unit(neutral(2), claim=CLAIM),
    unit(neutral(1)),
    unit(neutral(3), claim=CLAIM),
    unit(neutral(1, 2), neutral(4)),
]
ANSWERS = [2, StaleStream(stream(1), 1), Duplicate(2), 3]


def test_a_lost_answer_is_asked_for_again(books, wire):
    """What was committed without anybody hearing of it is answered as if it had been heard: not as a duplicate of
    itself, and not as stale."""
    wire.loses_answer = DONE
    appended = books.appender.append(UNITS, NOW)
    assert wire.cuts == 1
    assert appended == (1, 4, ANSWERS, NOW, (), None)
    assert [each.position for each in books.reader.after(0)] == [1, 2, 3, 4]
    assert books.append(unit(neutral(1, 3))) == [5]


def test_what_never_arrived_is_sent_again(books, wire):
    """It happens once, too."""
    wire.loses_request = CALLS
    assert books.append(*UNITS) == ANSWERS
    assert wire.cuts == 1
    assert [each.position for each in books.reader.after(0)] == [1, 2, 3, 4]


def test_an_idle_connection_that_was_cut_is_made_again(books, database):
    """Whoever reads or appends next notices nothing, nor does who wants the lock first."""
    for _ in range(3):
        cut(database)
        assert len(books.reader.after(0)) == books.append(unit(neutral(books.reader.head() + 10)))[0] - 1
    cut(database)
    assert books.appender.append_alone(lambda _missed: [unit(neutral(2))], NOW).answers == [5]


CUTS = {
    "before append": ("loses_request", CALLS),
    "append's answer": ("loses_answer", DONE),
    "before commit": ("loses_request", COMMIT),
    "commit's answer": ("loses_answer", COMMIT),
}


@pytest.mark.parametrize("cut", CUTS)
def test_what_is_appended_alone_happens_once(cut, books, wire, database):
    """Wherever the connection breaks while it has the ledger's lock; and the lock is free again."""

    def make(missed):
        assert [each.position for each in missed] == [2]
        setattr(wire, *CUTS[cut])
        return UNITS

    with Books(database) as others:
        others.append(unit(Entry(stream(20), 1, set_person("p20"))))
        appended = books.appender.append_alone(make, NOW)
        assert wire.cuts == 1
        assert appended == (2, 5, [3, StaleStream(stream(1), 1), Duplicate(3), 4], NOW, (), None)
        assert [each.position for each in books.reader.after(0)] == [1, 2, 3, 4, 5]
        assert others.append(unit(neutral(30))) == [6]


def test_who_lost_the_lock_is_judged_as_any_other(books, database):
    """Cut while its units are made, they are refused where somebody else got ahead, and what was missed is there."""

    def make(missed):
        assert missed == ()
        cut(database)
        (position,) = others.append(unit(Entry(stream(20), 1, set_person("p20"))))
        assert position == 2
        return [unit(neutral(2), condition=condition), unit(neutral(3))]

    condition = books.appender.condition("1")
    with Books(database) as others:
        appended = books.appender.append_alone(make, NOW)
        assert appended.answers == [StaleDirectory("1"), 3]
        assert [each.position for each in appended.missed] == [2]
        assert [each.stream for each in books.reader.after(1)] == [stream(20), stream(3)]


def test_who_cannot_make_units_gives_the_lock_back(books, database):
    """Nothing is kept, what was missed is told the next time, and others go on."""
    with Books(database) as others:
        others.append(unit(Entry(stream(20), 1, set_person("p20"))))
        with pytest.raises(ZeroDivisionError):
            books.appender.append_alone(lambda missed: [len(missed) // 0], NOW)
        assert books.appender._connection.info.transaction_status is TransactionStatus.IDLE
        assert others.append(unit(neutral(30))) == [3]
        told = []
        assert books.appender.append_alone(lambda missed: told.extend(missed) or [unit(neutral(2))], NOW).answers == [4]
        assert [each.position for each in told] == [2]


def test_who_stops_waits_no_longer(books, wire):
    """While the database is away an answer is waited for, and that is said; closing ends it, and says why."""
    said = ThreadPoolExecutor(1)
    heard = []
    books.appender.on_lost = lambda fault: (heard.append(fault), wire.close(), books.appender._closing.set())
    wire.loses_answer = DONE
    with pytest.raises(OperationalError):
        said.submit(books.append, unit(neutral(2))).result(WAIT_S)
    assert heard
    assert all(heard)
    assert not any("\n" in fault for fault in heard)


def test_what_was_not_sent_is_not_waited_for(books, wire):
    """Where it is known that nobody answers nothing was kept, and whoever asked is told so at once."""
    wire.close()
    with pytest.raises(OperationalError):
        books.appender.probe()
    with pytest.raises(OperationalError):
        books.append(unit(neutral(2)))


def test_why_nobody_answers_is_one_line(books, wire):
    """Readiness and the log say it, where psycopg gives advice in a second one."""
    wire.close()
    with pytest.raises(OperationalError) as raised:
        books.reader.after(0)
    assert "\n" in str(raised.value)
    assert "\n" not in in_words(raised.value, "the database")
