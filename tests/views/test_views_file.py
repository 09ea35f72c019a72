"""The views' file holds nothing that is not in the ledger: whatever is wrong with it, it is made anew by itself."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from core.errors import LedgerError
from core.ledger.views import Views
from tests.builders import Books
from tests.views.seen import Seen


@pytest.fixture(autouse=True)
async def _deadline():
    async with asyncio.timeout(20):
        yield


async def followed_to_the_end(house):
    """Start anew on the file as it is, and follow the ledger to its head."""
    house.reopen_views()
    follower = house.follower()
    await follower.start()
    await follower.stop()
    return house.seen()


def spoil(file, offset, junk):
    with file.open("r+b") as opened:
        opened.seek(offset)
        opened.write(junk)


async def a_file(house, events=300):
    """A ledger, and the closed file of a view that has seen all of it."""
    house.record_before(events)
    assert await followed_to_the_end(house) == list(range(1, events + 1))
    house.views.close()


async def test_a_file_that_is_whole_is_gone_on_with(house):
    """What was written is there at the next start, and nothing is taken twice."""
    await a_file(house)
    house.record_before()
    view = Seen()
    house.reopen_views()
    follower = house.follower(view)
    await follower.start()
    await follower.stop()
    assert view.taken == [301]
    assert house.seen() == list(range(1, 302))


async def test_a_deleted_file_is_made_anew(house):
    """Without its file a view begins at the ledger's beginning."""
    await a_file(house)
    house.file.unlink()
    assert await followed_to_the_end(house) == list(range(1, 301))


@pytest.mark.parametrize(
    ("offset", "junk"),
    [(0, b"not a database at all, by its first bytes"), (100, b"\xff" * 3_000), (16, b"\0\3")],
    ids=["no database", "no tables", "no page size"],
)
async def test_a_damaged_file_is_made_anew(house, offset, junk):
    """A file that SQLite cannot open is replaced, and filled again."""
    await a_file(house)
    spoil(house.file, offset, junk)
    assert await followed_to_the_end(house) == list(range(1, 301))


async def a_damaged_file(house):
    """Views of 3,000 events, of which all but the first pages are rubbish, opened."""
    await a_file(house, events=3_000)
    pages = house.file.stat().st_size // 4_096
    spoil(house.file, 4 * 4_096, b"\xff" * 4_096 * (pages - 4))
    house.reopen_views()


async def test_damage_that_is_found_later_is_healed_while_the_view_is_followed(house):
    """Damage deep inside the file is met when a batch is written: it is made anew, and the batch is not lost."""
    await a_damaged_file(house)
    house.writer = house.new_writer()
    house.mend()
    follower = house.follower()
    await follower.start()
    await house.record(100)
    await house.until(lambda: follower.written == 3_100)
    assert (follower.fault, follower.stands_by, house.views.damage) == (None, False, None)
    assert house.seen() == list(range(1, 3_101))


async def test_damage_that_a_question_meets_is_healed_without_a_batch(house):
    """Nothing new need be recorded for that: who asks is refused once, and answered when the file is whole."""
    await a_damaged_file(house)
    house.mend()
    house.follower()
    with pytest.raises(sqlite3.DatabaseError):
        house.seen()
    await house.until(lambda: house.views.damage is None)
    assert house.seen() == list(range(1, 3_001))


async def test_healing_waits_for_a_disk_that_takes_it(house, monkeypatch):
    """Where the file cannot be made anew, it is tried again; until then nobody is answered with half of it."""
    await a_damaged_file(house)
    house.mend()
    house.follower()
    fill, left = house.views.fill, [2]

    def on_a_full_disk(path, seen):
        fill(path, seen)
        if left[0]:
            left[0] -= 1
            raise sqlite3.OperationalError("database or disk is full")

    house.views.fill = on_a_full_disk
    with pytest.raises(sqlite3.DatabaseError):
        house.seen()
    await house.until(lambda: house.views.damage is None)
    assert left == [0]
    assert house.seen() == list(range(1, 3_001))
    assert not house.file.with_name("views.sqlite.new").exists()


async def test_a_file_of_another_ledger_is_made_anew(house, tmp_path_factory):
    """Rows of another ledger do not pass for ours, whatever position they are at."""
    await a_file(house)
    with Books(tmp_path_factory.mktemp("other")) as other:
        views = Views(house.file, other.recorder.identity)
        assert views.begin(Seen.name, Seen.tables) == 0
        views.close()
    assert await followed_to_the_end(house) == list(range(1, 301))


async def test_a_file_that_is_ahead_of_its_ledger_is_said_so(house):
    """Rows of what the ledger no longer holds mean that it has lost something, or was put back on purpose."""
    await a_file(house)
    with pytest.raises(LedgerError, match=r"ends at position 299, .* has seen 300: .* remove views.sqlite"):
        Views(house.file, house.books.recorder.identity, 299)
    house.views = house.open_views()
    assert house.seen() == list(range(1, 301))


async def test_what_cannot_be_opened_is_not_taken_for_a_damaged_file(house):
    """Where something else stands in the file's place it is left alone, and the start fails."""
    await a_file(house, events=1)
    house.file.unlink()
    house.file.mkdir()
    with pytest.raises(sqlite3.OperationalError):
        house.open_views()
    assert house.file.is_dir()
    house.file.rmdir()
