"""What is said of an event that is known already."""

from __future__ import annotations

import sqlite3

import pytest

from core.errors import OverloadedError
from core.ledger.read import Reader
from tests.builders import SOURCE, open_office, sent


async def test_a_duplicate_waits_for_a_ledger_that_can_be_read(tmp_path, monkeypatch):
    """While the ledger cannot be read, a duplicate is told to come again, and is answered as before when it can."""

    def at(*_):
        raise sqlite3.OperationalError("disk I/O error")

    office = open_office(tmp_path)
    await office.start()
    event = {"type": "file.created", "id": "it"}
    (first,) = await office.intake.accept("1", sent(event), SOURCE)
    with monkeypatch.context() as patch:
        patch.setattr(Reader, "at", at)
        with pytest.raises(OverloadedError, match="the ledger cannot be read: disk I/O error; try again"):
            await office.intake.accept("1", sent(event), SOURCE)
    (again,) = await office.intake.accept("1", sent(event), SOURCE)
    await office.close()
    assert again.is_duplicate
    assert again.position == first.position
