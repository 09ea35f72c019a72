"""What a data directory must be like to be opened, and what is said when it is not."""

from __future__ import annotations

import pytest

from core.errors import LedgerError
from core.office import Office
from tests.builders import open_office, our_plugins

KEYS = ("11" * 32, "22" * 32)


def opened(data, key=KEYS[0]):
    return Office(data, environment={"HOOKLEDGER_KEY": key}, check_url=lambda url, ssl: None, plugins=our_plugins())


@pytest.mark.parametrize("place", ["/proc/nope", "file/below"])
def test_a_directory_that_cannot_be_made_is_said_so(tmp_path, place):
    """One line that says what to do, and no traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"cannot be used: .*; name another --data"):
        opened(tmp_path / place)


def test_a_damaged_ledger_is_said_so(tmp_path):
    """A ledger that cannot be read is not made anew."""
    (tmp_path / "ledger.sqlite").write_bytes(b"rubbish" * 1000)
    with pytest.raises(LedgerError, match=r"ledger\.sqlite: it is damaged: .* restore. the newest backup"):
        opened(tmp_path)


async def test_a_lost_ledger_is_not_made_anew(tmp_path):
    """Where a key or views stand without their ledger, an empty one would hide the loss."""
    office = open_office(tmp_path)
    await office.start()
    await office.close()
    (tmp_path / "ledger.sqlite").unlink()
    with pytest.raises(LedgerError, match=r"has master\.key and views\.sqlite but no ledger"):
        open_office(tmp_path)


async def test_a_key_that_opens_no_secret_is_refused(tmp_path):
    """With another key every delivery would fail: better none is tried."""
    office = opened(tmp_path)
    await office.start()
    await office.webhooks.create(tenant="1", name="w", url="https://receiver.example/", by=None)
    await office.close()
    with pytest.raises(LedgerError, match="sealed with the master key"):
        opened(tmp_path, KEYS[1])
