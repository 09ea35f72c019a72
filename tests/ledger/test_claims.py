"""A claim is exact and for ever: whatever becomes of the index that finds it, answers are the same."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import LedgerError
from core.ledger import claims
from core.ledger.unit import Claim, Duplicate, Unit
from tests.builders import Books, neutral

YOUNG_MAX = 8
CLAIMS = 40
INDEX = "claims.sqlite"


@pytest.fixture(autouse=True)
def _few_are_young(monkeypatch):
    monkeypatch.setattr(claims, "YOUNG_MAX", YOUNG_MAX)


def claiming(number):
    return Unit([neutral(number)], claim=Claim("event:1", str(number)))


def fill(books, numbers, *, flushing=True):
    """A commit for each; the index is written as the writer has it written."""
    for number in numbers:
        assert books.append(claiming(number)) == [number]
        if flushing and books.appender.claims.is_full:
            books.appender.claims.flush()


def knows_all(books, numbers):
    """Every claim that was taken is a duplicate of where it was taken, and the next one is free."""
    numbers = list(numbers)
    free = len(numbers) + 1
    answers = books.append(*map(claiming, numbers), claiming(free))
    return answers == [*map(Duplicate, numbers), free]


def copied(data, place):
    """All files as they are now: what a process finds that starts after this one was killed here."""
    shutil.copytree(data, place)
    (place / f"{INDEX}-shm").unlink(missing_ok=True)
    (place / "ledger.sqlite-shm").unlink(missing_ok=True)
    return place


def test_old_claims_move_to_the_index(tmp_path):
    """When enough are young they are written to the index, and leave the memory; all are found."""
    with Books(tmp_path) as books:
        fill(books, range(1, CLAIMS + 1))
        assert len(books.appender.claims._young) < YOUNG_MAX
        (in_index,) = books.appender.claims._reading.execute("SELECT count(*) FROM claims").fetchone()
        assert in_index == CLAIMS
        assert knows_all(books, range(1, CLAIMS + 1))


def test_what_the_index_lacks_is_read_from_the_ledger(tmp_path):
    """A start reads the young claims back, also where they are many, and writes them to the index."""
    with Books(tmp_path) as books:
        fill(books, range(1, 6))
        books.appender.claims.flush()
        fill(books, range(6, CLAIMS + 1), flushing=False)
    with Books(tmp_path) as books:
        assert len(books.appender.claims._young) < YOUNG_MAX
        assert knows_all(books, range(1, CLAIMS + 1))


def test_a_kill_at_any_moment_changes_no_answer(tmp_path):
    """Before, within and after the writing of the index, and of the ledger: the next process answers the same."""
    data, places, taken = tmp_path / "data", [], 0
    data.mkdir()
    books = Books(data)

    def moment(_statement):
        places.append((taken, copied(data, tmp_path / f"killed-{len(places)}")))

    for connection in (books.recorder.writing, books.appender.claims._writing):
        connection.set_trace_callback(moment)
    for number in range(1, YOUNG_MAX + 3):
        fill(books, [number])
        taken = number
    books.close()
    assert len(places) > 3 * YOUNG_MAX
    for answered, place in places:
        with Books(place) as killed:
            head = killed.reader.head()
            assert head in (answered, answered + 1)
            assert knows_all(killed, range(1, head + 1))


@pytest.mark.parametrize("loss", ["deleted", "emptied", "garbage", "header", "cut", "leaves", "of another ledger"])
def test_an_index_that_is_lost_is_made_anew(loss, tmp_path):
    """Deleted, damaged anywhere, or another ledger's: it is read from the ledger again, and answers are the same."""
    for place in ("data", "other"):
        (tmp_path / place).mkdir()
        with Books(tmp_path / place) as books:
            books.append(*map(claiming, range(1, 1_001)))
            books.appender.claims.flush()
    index = tmp_path / "data" / INDEX
    raw = index.read_bytes()
    page = int.from_bytes(raw[16:18], "big")
    lost = {
        "emptied": b"",
        "garbage": b"no database at all" * 1_000,
        "header": bytes(50) + raw[50:],
        "cut": raw[: len(raw) // 2],
        "leaves": raw[: 3 * page] + b"\x55" * (len(raw) - 3 * page),
        "of another ledger": (tmp_path / "other" / INDEX).read_bytes(),
    }
    if loss == "deleted":
        index.unlink()
    else:
        index.write_bytes(lost[loss])
    with Books(tmp_path / "data") as books:
        assert knows_all(books, range(1, 1_001))
        books.appender.claims.flush()
    with Books(tmp_path / "data") as books:
        assert books.append(*map(claiming, range(1, 1_002))) == list(map(Duplicate, range(1, 1_002)))


def test_an_index_that_knows_more_than_the_ledger_is_said_so(tmp_path):
    """The ledger may have lost its newest events; where it is an older copy on purpose, removing the index says so."""
    with Books(tmp_path) as books:
        fill(books, range(1, 4))
        books.recorder.writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(tmp_path / "ledger.sqlite", tmp_path / "copy")
        fill(books, range(4, CLAIMS))
    shutil.copy(tmp_path / "copy", tmp_path / "ledger.sqlite")
    with pytest.raises(LedgerError, match=r"ends at position 3, .*has seen \d+: .* remove claims.sqlite"):
        Books(tmp_path)
    (tmp_path / INDEX).unlink()
    with Books(tmp_path) as books:
        assert knows_all(books, range(1, 4))


def test_an_index_that_breaks_while_it_is_used_is_made_anew(tmp_path):
    """Damage that shows only later, when it is read or written, costs time and no answer."""
    with Books(tmp_path) as books:
        index = books.appender.claims
        fill(books, range(1, 4))
        index.flush()
        fill(books, range(4, 6))
        index._writing.execute("DROP TABLE claims")
        index._writing.execute("CREATE TABLE claims (key BLOB PRIMARY KEY CHECK (key IS NULL), position)")
        index.flush()
        assert knows_all(books, range(1, 6))
        fill(books, range(7, CLAIMS))
        assert len(index._young) < YOUNG_MAX
        assert knows_all(books, range(1, CLAIMS))


def test_an_index_that_cannot_be_written_waits(tmp_path):
    """While the disk takes nothing more for the index, claims stay in memory, and are written when it does again."""
    with Books(tmp_path) as books:
        fill(books, range(1, YOUNG_MAX))
        other = sqlite3.connect(tmp_path / INDEX, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        books.appender.claims._writing.execute("PRAGMA busy_timeout=0")
        books.appender.claims.flush()
        assert len(books.appender.claims._young) == YOUNG_MAX - 1
        assert knows_all(books, range(1, YOUNG_MAX))
        other.execute("COMMIT")
        other.close()
        books.appender.claims.flush()
        assert books.appender.claims._young == {}
        assert books.append(claiming(YOUNG_MAX)) == [Duplicate(YOUNG_MAX)]


def test_claims_are_found_while_the_index_is_written(tmp_path):
    """Between leaving the memory and being in the index, no claim is overlooked."""
    with Books(tmp_path) as books:
        index = books.appender.claims
        fill(books, range(1, YOUNG_MAX), flushing=False)
        is_writing, may_go_on = threading.Event(), threading.Event()

        def stop(statement):
            if statement.startswith(("UPDATE", "COMMIT")):
                is_writing.set()
                may_go_on.wait(10)

        index._writing.set_trace_callback(stop)
        with ThreadPoolExecutor(1) as pool:
            flushed = pool.submit(index.flush)
            assert is_writing.wait(10)
            assert knows_all(books, range(1, YOUNG_MAX))
            may_go_on.set()
            flushed.result(10)
        assert books.append(*map(claiming, range(1, YOUNG_MAX + 1))) == list(map(Duplicate, range(1, YOUNG_MAX + 1)))


def test_two_names_are_never_one_claim(tmp_path):
    """Where the scope ends and the name begins makes a difference, and which ledger it is as well."""
    with Books(tmp_path) as books:
        twins = [Claim("event:1", "\0a"), Claim("event:1\0", "a"), Claim("event:", "1\0a"), Claim("event:1", "a")]
        twins += [Claim("event:1\0\0", ""), Claim("event:1", "\0\0")]
        answers = books.append(*[Unit([neutral(n)], claim=claim) for n, claim in enumerate(twins)])
        assert answers == list(range(1, len(twins) + 1))
        key = books.appender.claims.key(twins[0])
    (tmp_path / "other").mkdir()
    with Books(tmp_path / "other") as other:
        assert other.appender.claims.key(twins[0]) != key
