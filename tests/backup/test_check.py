"""A copy is checked whole: what is not as it was written gets no name, and is restored by nobody."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from core import backup
from core.errors import LedgerError
from tests.backup.test_backup import a_large_ledger
from tests.invented import InventedClock


def test_a_ledger_that_is_not_whole_is_not_copied(tmp_path):
    """Damage deep in a file, a position that is gone, a directory that folds to something else, one byte of an event or
    of a body, of which SQLite knows nothing: the check finds it."""
    spoilt = (_cut_a_page, _take_an_event, _forget_a_directory, _turn_a_byte_of("events", "state"))
    for number, spoil in enumerate((*spoilt, _turn_a_byte_of("bodies", "data"), _turn_a_byte_of("bodies", "salt"))):
        data = tmp_path / str(number)
        a_large_ledger(data, megabytes=1)
        spoil(data / "ledger.sqlite")
        with pytest.raises(LedgerError):
            backup.copy_ledger(data / "ledger.sqlite", tmp_path / "copy", InventedClock())
        assert not list(tmp_path.glob("*copy*"))


def _cut_a_page(file):
    middle = file.stat().st_size // 2 // 4096 * 4096
    with file.open("r+b") as opened:
        opened.seek(middle)
        opened.write(b"\xff" * 4096 * 8)


def _take_an_event(file):
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("DELETE FROM events WHERE position=7")


def _forget_a_directory(file):
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("INSERT INTO directories VALUES ('1', randomblob(16))")


def _turn_a_byte_of(table, column):
    def spoil(file):
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            ((position, was),) = connection.execute(f"SELECT position, {column} FROM {table} ORDER BY 1 DESC LIMIT 1")
            spoilt = bytes([was[0] ^ 0xFF]) + was[1:]
            connection.execute(f"UPDATE {table} SET {column}=? WHERE position=?", (spoilt, position))

    return spoil
