"""A rebuild makes the rows that following made, says where the old ones differ, and puts a new file in their place."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given

from core.directory import Directory
from core.errors import LedgerBusyError
from core.history import History
from core.history_entries import page
from core.history_question import Wanted
from core.ledger.rebuilt import Difference
from core.ledger.views import Views
from core.rebuild import compare, rebuild
from delivery.broker import InProcessBroker
from delivery.dispatch import Dispatch
from delivery.outbox import Outbox
from tests.builders import Books
from tests.invented import InventedClock
from tests.views.following import CUTS, follow_in_pieces, rows_of
from tests.views.ledgers import STEPS, books_of

A_LEDGER = [
    ("event", 0, 7),
    ("event", 1, 3),
    ("failed", 1, 5),
    ("delivered", 0, 4),
    ("cancelled", 0, 1),
    ("event", 2, 2),
    ("failed", 0, 7),
]


def an_outbox(books):
    """An outbox that hands out nothing."""
    directory, clock = Directory(), InventedClock()
    directory.apply(books.reader.landmarks())
    return Outbox(directory, Dispatch(directory, InProcessBroker(), clock, clock, old_max=0))


def all_views(books):
    return [History(books.reader), an_outbox(books)]


def views_file(books):
    return books.recorder.path.with_name("views.sqlite")


def follow_all(books, cuts, events_max=None):
    """What a service leaves behind that stopped when it had followed *events_max* events, and no views open."""
    with closing(Views(views_file(books), books.recorder.identity)) as views:
        for make in (lambda: History(books.reader), lambda: an_outbox(books)):
            follow_in_pieces(books, views, make, [(size, pieces, False) for size, pieces, _ in cuts], events_max)
        return {view.name: rows_of(views, view) for view in all_views(books)}


def made_anew(books):
    return rebuild(books.reader, views_file(books), all_views(books), InventedClock())


def rows_now(books):
    with closing(Views(views_file(books), books.recorder.identity)) as views:
        return {view.name: rows_of(views, view) for view in all_views(books)}


def change(file, sql):
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(sql)


@given(STEPS, CUTS)
def test_a_rebuild_equals_what_following_made(steps, cuts):
    """Rows made at one go are those that were made in pieces, and the comparison says so."""
    with books_of(steps) as books:
        followed = follow_all(books, cuts)
        rebuilt = made_anew(books)
        assert rebuilt.events == books.reader.head()
        assert rebuilt.compared == {"history/2": [], "outbox/1": []}
        assert rows_now(books) == followed


@pytest.mark.parametrize("events", [1, 7, 12])
def test_views_that_were_behind_are_compared_where_they_stood(events):
    """An old file that has not seen everything is compared at its own position; the new one goes to the end."""
    with books_of(A_LEDGER) as books:
        at_the_end = follow_all(books, [(50, 1, False)])
        views_file(books).unlink()
        follow_all(books, [(50, 1, False)], events)
        assert made_anew(books).compared == {"history/2": [], "outbox/1": []}
        assert rows_now(books) == at_the_end


@pytest.mark.parametrize(
    ("spoil", "table"),
    [
        ("UPDATE history_2 SET status=201 WHERE number=5", "history_2"),
        ("UPDATE history_2 SET details='words' WHERE number=5", "history_2"),
        ("DELETE FROM history_2 WHERE number=5", "history_2"),
        ("UPDATE history_2 SET number=999 WHERE number=5", "history_2"),
        ("UPDATE history_webhooks_2 SET failed=failed+1 WHERE webhook=1", "history_webhooks_2"),
        ("INSERT INTO reactions_1 VALUES (1, 'gone', 5)", "reactions_1"),
        ("UPDATE outbox_1 SET failure=NULL WHERE failure IS NOT NULL", "outbox_1"),
    ],
)
def test_a_row_that_is_wrong_is_found(spoil, table):
    """A row that is changed, lacking, or too many is named by its table and primary key, and is right afterwards."""
    with books_of(A_LEDGER) as books:
        right = follow_all(books, [(50, 1, False)])
        change(views_file(books), spoil)
        (name,) = {name for name in right if rows_now(books)[name] != right[name]}
        (difference,) = made_anew(books).compared[name]
        assert difference.table == table
        assert difference.rows == (2 if "999" in spoil else 1)
        assert len(difference.keys) == difference.rows
        assert rows_now(books) == right


def test_only_the_first_few_keys_are_named():
    """Where everything is wrong, all rows are counted, and some are named."""
    with books_of([("event", 0, 7)] * 4) as books:
        follow_all(books, [(50, 1, False)])
        change(views_file(books), "UPDATE history_2 SET trigger=9")
        ((difference,), _) = made_anew(books).compared.values()
        assert difference == Difference("history_2", 12, ((5,), (6,), (7,), (9,), (10,)))


def test_files_that_have_not_seen_the_same_are_not_compared():
    """A comparison of views at different positions would say nothing, and is refused."""
    with books_of(A_LEDGER) as books:
        follow_all(books, [(50, 1, False)])
        older = views_file(books).with_name("older.sqlite")
        shutil.copy(views_file(books), older)
        change(older, "UPDATE tracking SET position=3")
        with pytest.raises(ValueError, match="has seen"):
            compare(older, views_file(books), History(books.reader))


@pytest.mark.parametrize(
    "old",
    [None, b"", b"no database", "another ledger's", "ahead"],
    ids=["none", "empty", "damaged", "another ledger's", "ahead"],
)
def test_an_old_file_of_no_use_is_replaced(old, tmp_path):
    """Where there is nothing to compare with, the views are made all the same."""
    with books_of(A_LEDGER) as books:
        right = follow_all(books, [(50, 1, False)])
        file = views_file(books)
        if old is None:
            file.unlink()
        elif isinstance(old, bytes):
            file.write_bytes(old)
        elif old == "ahead":
            change(file, "UPDATE tracking SET position=position+1")
        else:
            with Books(tmp_path) as other:
                Views(file, other.recorder.identity).close()
        assert made_anew(books).compared == {}
        assert rows_now(books) == right
        assert not file.with_name("views.sqlite.new").exists()


def test_damage_deep_in_the_old_file_does_not_hinder():
    """An old file that opens and cannot be read to the end is replaced by one that can."""
    with books_of([("event", 0, 7)] * 40) as books:
        right = follow_all(books, [(500, 1, False)])
        file = views_file(books)
        kept = file.read_bytes()
        # From the third page on: the first two say whose it is and what it has seen.
        file.write_bytes(kept[: 3 * 4_096] + b"\xff" * (len(kept) - 3 * 4_096))
        assert "history/2" not in made_anew(books).compared
        assert rows_now(books) == right


def test_a_file_that_somebody_has_open_is_not_replaced():
    """While another process reads or writes the views a rebuild stops, and leaves the old file as it is."""
    with books_of(A_LEDGER) as books:
        right = follow_all(books, [(50, 1, False)])
        with closing(Views(views_file(books), books.recorder.identity)) as views:
            views.writing.execute("BEGIN IMMEDIATE")
            views.writing.execute("DELETE FROM history_2")
            with pytest.raises(LedgerBusyError):
                made_anew(books)
            views.writing.execute("ROLLBACK")
        assert rows_now(books) == right
        assert not views_file(books).with_name("views.sqlite.new").exists()


def test_questions_find_their_indexes_after_a_rebuild():
    """The indexes that are made last are there, and pages are read off them."""
    with books_of(A_LEDGER) as books:
        follow_all(books, [(50, 1, False)])
        change(views_file(books), "DROP INDEX history_2_webhook")
        made_anew(books)
        with closing(Views(views_file(books), books.recorder.identity)) as views:
            names = {name for (name,) in views.rows("SELECT name FROM sqlite_master WHERE type='index'")}
            assert {"history_2_webhook", "history_2_trouble", "outbox_1_due"} <= names
            assert page(views, books.reader, Wanted(webhook=1), 1).entries
