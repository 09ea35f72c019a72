"""Connections that read: a few, made when they are needed, and no longer used once they are broken."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest

from core.ledger.postgres.pool import Pool
from tests.builders import WAIT_S
from tests.postgres import server_url

MAX = 3


class Door:
    """The way to a real server, which may be shut."""

    def __init__(self):
        self.is_shut, self.tries = False, 0

    def __call__(self):
        self.tries += 1
        return psycopg.connect("host=/nowhere" if self.is_shut else server_url(), autocommit=True)


@pytest.fixture(name="door")
def _door():
    return Door()


@pytest.fixture(name="pool")
def _pool(door):
    pool = Pool(door, MAX, 0.0)
    yield pool
    pool.close()


def one(pool):
    with pool.connection() as connection:
        return connection.execute("SELECT pg_backend_pid()").fetchone()[0]


def test_one_after_the_other_they_share_a_connection(pool, door):
    """Nothing is made before it is needed, and nothing that is not."""
    assert door.tries == 0
    assert len({one(pool) for _ in range(9)}) == door.tries == 1


def test_who_asks_while_the_database_is_away_hears_why(pool, door):
    """Each that asks tries for itself, and is answered as soon as somebody can answer."""
    door.is_shut = True
    for tries in range(1, 2 * MAX):
        with pytest.raises(psycopg.OperationalError, match="nowhere"):
            one(pool)
        assert door.tries == tries
    door.is_shut = False
    assert one(pool)


def test_there_are_never_more_than_a_few(pool):
    """Who finds all of them in use is told so; who gives one back makes room."""
    with ExitStack() as taken:
        connections = [taken.enter_context(pool.connection()) for _ in range(MAX)]
        assert len(set(connections)) == MAX
        with pytest.raises(psycopg.OperationalError, match="busy"):
            one(pool)
    assert one(pool)


def test_one_is_waited_for(door):
    """A thread that finds all of them in use goes on with the first that is given back."""
    pool = Pool(door, 1, WAIT_S)
    with pool.connection() as connection:
        used = connection.info.backend_pid
        waiting = ThreadPoolExecutor(1).submit(one, pool)
    assert waiting.result(WAIT_S) == used
    pool.close()


@pytest.mark.parametrize("breaks", ["closed", "in a transaction"])
def test_what_is_broken_is_not_used_again(breaks, pool):
    """Also one that was left in the middle of something."""
    with pool.connection() as connection:
        broken = connection.info.backend_pid
        if breaks == "closed":
            connection.close()
        else:
            connection.execute("BEGIN")
    assert connection.closed
    assert one(pool) != broken


def test_closing_leaves_nothing_open(pool):
    """Neither those that wait, nor one that is in use, whose user may wait for an answer that never comes; and no other
    one is made."""
    with pool.connection() as used:
        with pool.connection() as idle:
            pass
        pool.close()
        assert idle.closed
        assert used.closed
    with pytest.raises(psycopg.OperationalError), pool.connection():
        pass
