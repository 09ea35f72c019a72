"""Many processes on one ledger on PostgreSQL: nothing is lost, seen twice or out of order, and nobody stops all."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from core.ledger.unit import Claim, Duplicate, Entry, StaleStream, Unit
from core.model.topics import Codec
from tests.builders import WAIT_S, Books, neutral, set_person, stream
from tests.ledger.crowd import check, play
from tests.postgres import drop, new_database

EVENTS = 16_000
PAST = 200_000
GROWING = ("events", "claims", "landmarks", "commits", "bodies", "secrets", "directories")


@pytest.fixture(name="database")
def _database():
    database = new_database()
    yield database
    drop(database)


def test_followers_miss_nothing_while_four_processes_write(database, tmp_path):
    """A process that is woken by the database sees all that was answered, each once, in the order of positions without
    a gap; also while VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY run. Nothing that was refused is there."""
    check(play(database, tmp_path, EVENTS, 4))


def test_a_process_that_stands_still_with_the_lock_stops_nobody_for_long(database):
    """The database ends its transaction after two seconds, and the others go on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.crowd", "stand", *database],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGSTOP)
        with Books(database) as books:
            begun = time.monotonic()
            assert books.append(Unit([neutral(1)])) == [1]
            assert time.monotonic() - begun < WAIT_S
    finally:
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate("go on\n", timeout=WAIT_S)
    assert said in {"IdleInTransactionSessionTimeout\n", "OperationalError\n"}


@pytest.mark.parametrize("analyzed", ["never", "when it was empty", "when it was full"])
def test_no_append_reads_a_whole_table(database, analyzed):
    """Whatever the database believes to know of its tables, and whenever the connection was made."""
    with Books(database) as early:
        execute = early.appender._connection.execute
        for table in GROWING:
            execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        if analyzed == "when it was empty":
            execute("ANALYZE")
        everything(early, 1)
        fill(execute)
        if analyzed == "when it was full":
            execute("ANALYZE")
        early.appender.look()  # what it has missed may be read as a whole
        before = rows_scanned(early)
        everything(early, 2)
        with Books(database) as late:
            everything(late, 3)
            rows_scanned(late)
        # Scans from before they were full may be counted late.
        assert rows_scanned(early) - before < PAST // 100


def fill(execute):
    """Events that nobody wrote one by one."""
    past = f"FROM generate_series(1, {PAST}) AS n"
    id = "decode(lpad(to_hex(n), 32, '0'), 'hex')"
    execute(f"INSERT INTO events SELECT 1000 + n, {id}, 1, %s, %s {past}", Codec().encode(neutral().event))
    execute(f"INSERT INTO claims SELECT {id}, 1000 + n {past}")
    execute(f"INSERT INTO bodies SELECT 1000 + n, '', '', '' {past}")
    execute(f"INSERT INTO landmarks SELECT -n {past}")
    execute(f"INSERT INTO directories SELECT 'tenant ' || n, '' {past}")
    execute(f"INSERT INTO commits SELECT 1000 + n, 1000 + n, 1 {past}")


def everything(books, time):
    """All that a call can be asked: new streams and old ones, claims that are taken, people, and a stream that is there
    although nobody thought so."""
    claim = Claim("event:1", "once")
    number = time * 10
    about_people = [neutral(number), Entry(stream(5), time, set_person("p5"))]
    taken, _ = books.append(
        Unit(about_people, condition=books.appender.condition("1")), Unit([neutral(number + 1)], claim=claim)
    )
    assert type(taken) is int
    stale, taken, duplicate = books.append(
        Unit([neutral(number)]), Unit([neutral(number, 2)]), Unit([neutral(number + 2)], claim=claim)
    )
    assert stale == StaleStream(stream(number), 1)
    assert type(taken) is int
    assert type(duplicate) is Duplicate


def rows_scanned(books):
    """How many rows were read because a table was read as a whole."""
    flush = "SELECT pg_stat_force_next_flush()"  # each connection counts by itself, and says so now and then
    books.appender._connection.execute(flush)
    books.rows(flush)
    ((rows,),) = books.rows("SELECT sum(seq_tup_read)::bigint FROM pg_stat_user_tables WHERE schemaname=current_schema")
    return rows
