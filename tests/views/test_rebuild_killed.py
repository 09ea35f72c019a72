"""Whenever a rebuild is killed, the next start finds the old views or the new ones, whole."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import closing

import pytest

from core import rebuild as rebuild_module
from core.history import History
from core.ledger.views import Views
from core.rebuild import rebuild
from tests.builders import Books
from tests.invented import InventedClock
from tests.views.following import follow_in_pieces, rows_of
from tests.views.ledgers import books_of

STEPS = [("event", 0, 7), ("event", 1, 3), ("failed", 1, 5), ("delivered", 0, 4)]
WRONG = "UPDATE history_2 SET details='this is the old file'"


@pytest.fixture(name="data", params=["whole", "damaged"])
def _data(request, tmp_path):
    """A data directory whose process was killed: the newest of its views' rows are in the log beside the file."""
    data = tmp_path / "data"
    with (
        books_of(STEPS) as books,
        closing(Views(books.recorder.path.with_name("views.sqlite"), books.recorder.identity)) as views,
    ):
        follow_in_pieces(books, views, lambda: History(books.reader), [(4, 1, False)])
        views.writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        views.writing.execute(WRONG)
        shutil.copytree(books.recorder.path.parent, data)
    assert (data / "views.sqlite-wal").stat().st_size > 0
    if request.param == "damaged":
        (data / "views.sqlite").write_bytes(b"no database, while its log would go with any" * 99)
    return data


def die_at(count):
    """From here on, be killed before the rebuild comes to so many lines that it had not come to before."""
    seen = set()

    def trace(frame, event, _):
        if frame.f_code.co_filename != rebuild_module.__file__:
            return None
        if event == "line" and frame.f_lineno not in seen:
            if len(seen) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            seen.add(frame.f_lineno)
        return trace

    sys.settrace(trace)


def rebuilt_in(data):
    with Books(data) as books:
        rebuild(books.reader, data / "views.sqlite", [History(books.reader)], InventedClock())


def is_killed(data, count):
    """Rebuild in a process of its own, which is killed at a line, or was done before."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            die_at(count)
            rebuilt_in(data)
            code = 0
        finally:
            sys.settrace(None)
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def rows_in(data):
    """What the next start finds, without following anything; the file itself is sound."""
    with Books(data) as books, closing(Views(data / "views.sqlite", books.recorder.identity)) as views:
        position = views.begin(History.name, History.tables)
        assert views.rows("PRAGMA integrity_check") == [("ok",)]
        return position, rows_of(views, History)


def test_a_rebuild_may_be_killed_before_any_of_its_lines(data, tmp_path):
    """Killed before each line in turn, it leaves the old rows up to some line and the new rows from there on.

    Of a damaged file there are no old rows: the next start begins with none, and follows the ledger from its beginning.
    """
    old = rows_in(shutil.copytree(data, tmp_path / "old"))
    new_data = shutil.copytree(data, tmp_path / "new")
    rebuilt_in(new_data)
    new = rows_in(new_data)
    assert old != new

    found, count, was_killed = [], 0, True
    while was_killed:
        trial = shutil.copytree(data, tmp_path / "trial")
        was_killed = is_killed(trial, count)
        found.append(rows_in(trial))
        # What is left behind hinders nobody, and goes with the next rebuild.
        if count % 10 == 0:
            rebuilt_in(trial)
            assert rows_in(trial) == new
            assert not list(trial.glob("views.sqlite.new*"))
        shutil.rmtree(trial)
        count += 1
    assert count > 50
    changed_at = found.index(new)
    assert changed_at > 0
    assert found == [old] * changed_at + [new] * (len(found) - changed_at)
