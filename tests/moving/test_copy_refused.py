"""`hookledger copy` refuses what is not meant, and says so before it touches anything."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg
import pytest

from core.errors import ConflictError, LedgerBusyError, LedgerError
from core.ledger.key_check import check_key
from core.ledger.keys import MasterKey, given_key
from core.ledger.postgres.recorder import PostgresRecorder, connect
from core.ledger.unit import Unit
from core.moving import PART_FILE, move
from tests.builders import NOW, Books, neutral
from tests.invented import InventedClock
from tests.moving.places import KEYS, a_ledger, check_values, copied, moved, rows


def test_what_is_no_beginning_is_left_alone(data, database, tmp_path):
    """Another ledger, and one that went on by itself, are neither overwritten nor added to."""
    other = tmp_path / "other"
    other.mkdir()
    a_ledger(other, commits=3)
    with Books(database) as books:
        books.append(Unit([neutral()]))
    before = rows(database), rows(other)
    for target in (database, other):
        with pytest.raises(ConflictError, match="no beginning of"):
            moved(data, target)
    assert (rows(database), rows(other)) == before
    PostgresRecorder(*database).close()

    moved(data, tmp_path / "new")
    for place, number in ((data, 77_777), (tmp_path / "new", 77_778)):
        with Books(place) as books:
            books.append(Unit([neutral(number)]), at=NOW + 10**6)
    before = rows(tmp_path / "new")
    with pytest.raises(ConflictError, match="no beginning of"):
        moved(data, tmp_path / "new")
    assert rows(tmp_path / "new") == before


def test_a_row_that_differs_is_found(data, database):
    """A copy in which anything was changed is not called equal, and may not be used."""
    moved(data, database)
    for table, column in (("events", "state"), ("bodies", "data"), ("claims", "key"), ("commits", "at")):
        with connect(*database) as connection, connection.transaction(force_rollback=False):
            key = {"commits": "last"}.get(table, "position")
            was = connection.execute(f"SELECT {key}, {column} FROM {table} ORDER BY {key} LIMIT 1").fetchone()
            spoilt = was[1] + 1 if column == "at" else was[1][:-1] + bytes([was[1][-1] ^ 1])
            connection.execute(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", (spoilt, was[0]))
        with pytest.raises(LedgerError, match=f"is not equal to its source in {table}"):
            moved(data, database)
        with pytest.raises(LedgerError, match="has half a ledger"):
            PostgresRecorder(*database)
        with connect(*database) as connection:
            connection.execute(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", (was[1], was[0]))
    moved(data, database)
    PostgresRecorder(*database).close()


def test_a_wrong_key_is_refused_before_anything_is_copied(data, database, tmp_path):
    """In the environment, beside the source or beside the target: it is tried first, and what to do is said."""
    wrong, right = ({"HOOKLEDGER_KEY": key.hex()} for key in reversed(KEYS))
    with pytest.raises(LedgerError, match="sealed with the master key"):
        moved(data, database, wrong)
    assert rows(database)["commits"] == []
    new = tmp_path / "new"
    new.mkdir()
    (new / "master.key").write_text(KEYS[1].hex())
    (new / "master.key").chmod(0o600)
    with pytest.raises(LedgerError, match="sealed with the master key"):
        moved(data, new)
    (data / "master.key").unlink()
    assert moved(data, database).key == "missing"
    assert check_values(database) == []
    moved(data, database, right)
    with closing(PostgresRecorder(*database)) as recorder:
        assert check_key(recorder, MasterKey(KEYS[0])) is True
        with pytest.raises(LedgerError, match=r"sealed with the master key .*: bring back its master\.key"):
            check_key(recorder, MasterKey(KEYS[1]))
    assert given_key({}, new / "master.key") == KEYS[1]


async def test_places_that_cannot_be_meant(place, schema, tmp_path):
    """The same twice, no ledger, half a URL: one line each."""
    for source, target, code, says in (
        (tmp_path / "a", tmp_path / "." / "a", 2, "are the same"),
        (schema.url, schema.url, 2, "are the same"),
        (tmp_path / "a", tmp_path / "b", 1, "no ledger in"),
        (schema.url, tmp_path / "b", 1, "has no ledger of form"),
        ("postgresql://me:geh@eim@h/d", tmp_path / "b", 2, "an @ too many"),
    ):
        ran = await copied(place, schema, source, target)
        assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran
        assert says in ran.err
        assert "eim" not in ran.err


def test_nobody_commits_while_a_copy_is_made(data, database):
    """The lock of the ledger is held from the first row to the last comparison."""
    moved(data, database)
    seen = []

    def try_to_append(last, head):
        with connect(*database) as connection:
            connection.execute("SET lock_timeout = 100")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute("SELECT pg_advisory_xact_lock(8420, hashtext(current_schema()::text))")
            seen.append(last)

    target = data.parent / "new"
    move(database.url, str(target), database.schema, {}, InventedClock(), bytes, try_to_append)
    assert seen == [len(rows(data)["events"])]


def test_a_copy_that_somebody_has_open_gets_no_name(data, tmp_path):
    """What SQLite keeps beside a file that is open would be left behind: it stays a copy under way until it is one
    file, and nothing is lost."""
    moved(data, tmp_path / "new")
    (tmp_path / "new" / "ledger.sqlite").rename(tmp_path / "new" / PART_FILE)
    with closing(sqlite3.connect(tmp_path / "new" / PART_FILE, isolation_level=None)) as looking:
        looking.execute("PRAGMA journal_mode=WAL")
        looking.execute("SELECT count(*) FROM events").fetchone()
        with pytest.raises(LedgerBusyError, match=r"another program has .* open: end that"):
            moved(data, tmp_path / "new")
        assert not (tmp_path / "new" / "ledger.sqlite").exists()
    moved(data, tmp_path / "new")
    assert rows(tmp_path / "new") == rows(data)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["ledger.sqlite", "lock"]
