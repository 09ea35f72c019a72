"""Real processes on one PostgreSQL: they record what should have been, and one that stands still stops nobody."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from core.model.portal_event import Received
from tests.builders import WAIT_S, Books
from tests.matching.crowd import check, play
from tests.matching.history import everything
from tests.matching.processes import somebody
from tests.postgres import drop, new_database

EVENTS = 3_000


@pytest.fixture(name="database")
def _database():
    database = new_database()
    yield database
    drop(database)


def test_what_three_processes_record_is_what_should_have_been(database, tmp_path, tell):
    """While each of them changes who is who and who listens: nobody is told to come again, some take the lock first,
    and what was recorded, a replay and the oracle agree."""
    crowd = play(database, tmp_path, EVENTS, 3)
    tell(check(database, crowd))
    assert all(told.alone for told in crowd)


@pytest.mark.parametrize("how", ["stopped", "hung"])
def test_a_process_that_stands_still_with_the_lock_stops_nobody_for_long(how, tmp_path, database, tell):
    """After two seconds others go on; when it does so itself, its event is matched again, and recorded once."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.matching.crowd", "stand", *database, tmp_path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "held\n"
        begun = time.monotonic()
        if how == "stopped":
            process.send_signal(signal.SIGSTOP)
        with Books(database) as others:
            (position,) = others.append(somebody())
        took_s = time.monotonic() - begun
        tell(f"{how}: others waited {took_s:.1f} s")
        assert took_s < WAIT_S
    finally:
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate("go on\n", timeout=60)
    assert process.returncode == 0
    (answered,) = json.loads(said)
    assert answered > position
    with Books(database) as others:
        assert [each.position for each in everything(others.reader) if type(each.event) is Received] == [answered]
