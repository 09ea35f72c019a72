"""Files that are damaged, cut, of somebody else, or gone: at the start, and while `serve` runs."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing

import pytest

from core.errors import HookledgerError
from core.operations import deliveries, delivery_story

PAGE = 4_096


def damage(file, first, pages=None):
    """Write rubbish over pages of a file, from the first given to the end if not said otherwise."""
    pages = file.stat().st_size // PAGE - first if pages is None else pages
    with file.open("r+b") as opened:
        opened.seek(first * PAGE)
        opened.write(b"\xaa" * PAGE * pages)


def header(ledger):
    damage(ledger, 0, 1)


def cut(ledger):
    with ledger.open("r+b") as opened:
        opened.truncate(ledger.stat().st_size // 2 // PAGE * PAGE)


def of_another_program(ledger):
    ledger.unlink()
    with closing(sqlite3.connect(ledger)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")


def empty(ledger):
    ledger.write_bytes(b"")


def gone(ledger):
    ledger.unlink()


def a_directory(ledger):
    ledger.unlink()
    ledger.mkdir()


def older(ledger):
    """A copy of an earlier state, as from a machine that forgot the log beside it."""
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("DELETE FROM events WHERE position>100")
        connection.execute("DELETE FROM commits WHERE last>100")
        connection.execute("INSERT INTO commits SELECT 100, 1, 1 WHERE (SELECT max(last) FROM commits)<100")


def half_a_commit(ledger):
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("DELETE FROM commits WHERE last=(SELECT max(last) FROM commits)")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (header, "it is damaged: stop hookledger, move it away, and `hookledger restore` the newest backup"),
        (cut, "it is damaged: stop hookledger, move it away, and `hookledger restore` the newest backup"),
        (of_another_program, "is a database of another program: name another --data, or bring the ledger"),
        (empty, "but no ledger.sqlite, or an empty one: `hookledger restore` the newest backup"),
        (gone, "but no ledger.sqlite, or an empty one: `hookledger restore` the newest backup"),
        (a_directory, "it cannot be opened: see that it is a file"),
        (half_a_commit, "is damaged: it has events up to"),
        (older, "what was recorded last is missing. If ledger.sqlite-wal was left behind, bring it back"),
    ],
)
async def test_a_ledger_that_is_not_what_it_was_is_refused(patient, past, spoil, words):
    """`serve` ends with one line that says what is wrong and what to do, and what it found is as it was."""
    await patient.prepare_with(past)
    ledger = patient.data / "ledger.sqlite"
    kept = ledger.with_name("kept")
    shutil.copy(ledger, kept)
    spoil(ledger)
    before = ledger.read_bytes() if ledger.is_file() else None
    line = await patient.refused()
    assert words in line
    assert str(patient.data) in line
    assert (ledger.read_bytes() if ledger.is_file() else None) == before
    if ledger.is_dir():
        ledger.rmdir()
    kept.rename(ledger)
    await patient.is_mended()


async def test_a_killed_serve_whose_log_is_lost_is_refused(patient):
    """After a kill the newest events are in ledger.sqlite-wal alone; without it `serve` does not go on as if they had
    never been. Brought back, nothing is lost."""
    await patient.prepare()
    await patient.serve()
    await patient.accept(20)
    await patient.all_delivered()
    await patient.kill()
    log = patient.data / "ledger.sqlite-wal"
    log.rename(patient.data / "left behind")
    line = await patient.refused()
    assert "what was recorded last is missing" in line or "or an empty one" in line
    log.unlink(missing_ok=True)
    (patient.data / "left behind").rename(log)
    await patient.serve()
    await patient.accept()
    await patient.all_delivered()


async def test_damage_deep_in_the_ledger_is_found_when_it_is_read(patient, past):
    """What a start does not read is met when views are made anew: `serve` ends with one line, and what to do."""
    await patient.prepare_with(past)
    ledger = patient.data / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name='events'").fetchone()
    damage(ledger, ledger.stat().st_size // PAGE // 2, 24)
    assert root < ledger.stat().st_size // PAGE // 2
    (patient.data / "views.sqlite").unlink()
    line = await patient.refused()
    assert f"{ledger}: it is damaged" in line
    assert "`hookledger restore` the newest backup" in line


async def test_the_ledger_is_cut_while_serve_runs(patient, past):
    """Who reads what is gone is told; from then on nothing is acknowledged, and readiness says what to do."""
    await patient.prepare_with(past)
    await patient.serve()
    first = min(past.known.values()) + 1
    await patient.place.ask(delivery_story.SHOW, delivery_story.ShowDelivery(first))
    with (patient.data / "ledger.sqlite").open("r+b") as opened:
        opened.truncate(8 * PAGE)
    with pytest.raises(HookledgerError):
        await read_all(patient, past)
    refused = await patient.publish()
    assert (refused.status, refused.retry_after) == (503, "60")
    reason = await patient.until_not_ready("ledger.sqlite: it is damaged")
    assert "`hookledger restore` the newest backup" in reason
    asked = patient.receiver.seen.total()
    assert (await patient.publish()).status == 503
    assert patient.receiver.seen.total() == asked
    patient.process.terminate()
    assert await patient.process.wait() == 0
    assert "Traceback" not in patient.log


async def read_all(patient, past):
    for number in sorted(past.known.values(), reverse=True):
        await patient.place.ask(delivery_story.SHOW, delivery_story.ShowDelivery(number + 1))


VIEWS = {
    "header": header,
    "cut": cut,
    "deep": lambda file: damage(file, 3),
    "gone": gone,
    "empty": empty,
    "rubbish": lambda file: file.write_bytes(b"no database" * PAGE),
}


@pytest.mark.parametrize("name", ["views.sqlite", "claims.sqlite"])
@pytest.mark.parametrize("spoil", VIEWS.values(), ids=VIEWS)
async def test_what_is_made_from_the_ledger_is_made_again(patient, past, name, spoil):
    """Views and the claims' index are thrown away and made anew, with a line in the log: lists are whole, and what is
    known is a duplicate."""
    await patient.prepare_with(past)
    spoil(patient.data / name)
    await patient.serve()
    asked = deliveries.ListDeliveries(limit=1_000)
    async with asyncio.timeout(30):
        while True:
            try:
                listed = await patient.place.ask(deliveries.LIST, asked)
            except HookledgerError:
                continue  # the damage was met just now
            break
    assert {one.id for one in listed.deliveries if one.state == "delivered"} == {at + 1 for at in past.known.values()}
    again = await patient.send([{"id": id, "type": "file.created", "data": {"id": 1}} for id in past.known])
    assert (again.status, again.body["accepted"], again.body["duplicates"]) == (200, 0, 400)
    await patient.until_ready()
    await patient.accept(5)
    await patient.all_delivered()
    if spoil not in (gone, empty):
        assert f"{name}" in patient.log
        assert "made anew" in patient.log
    await patient.stop()


@pytest.mark.parametrize("name", ["views.sqlite", "claims.sqlite"])
async def test_a_directory_in_a_files_place_is_said_so(patient, past, name):
    """It is left alone: who put it there may want it. One line names it."""
    await patient.prepare_with(past)
    (patient.data / name).unlink()
    (patient.data / name).mkdir()
    line = await patient.refused()
    assert line.startswith(f"{patient.data / name}: it cannot be opened: see that it is a file")
    (patient.data / name).rmdir()
    await patient.is_mended()


@pytest.mark.parametrize("name", ["ledger.sqlite", "views.sqlite", "claims.sqlite"])
async def test_a_file_that_another_program_has_locked_is_said_so(patient, past, name):
    """`serve` ends after a while with one line that names the file; when it is free again, all goes on."""
    await patient.prepare_with(past)
    with closing(sqlite3.connect(patient.data / name, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("SELECT count(*) FROM sqlite_master").fetchone()
        line = await patient.refused()
    assert line.startswith(f"{patient.data / name}: another program has locked it: end that")
    await patient.is_mended()


async def test_another_program_locks_the_ledger_while_serve_runs(patient):
    """Intake answers 503 and readiness names the file; when it is free again, all goes on."""
    await patient.prepare()
    await patient.serve()
    await patient.accept(2)
    await patient.all_delivered()
    with closing(sqlite3.connect(patient.data / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = await patient.publish()
        assert (refused.status, refused.retry_after) == (503, "5")
        await patient.until_not_ready("ledger.sqlite: another program has locked it")
    await patient.until_ready()
    await patient.accept()
    await patient.all_delivered()


async def test_views_are_damaged_while_serve_runs(patient, past):
    """They are made anew meanwhile: nothing is lost or made twice, and `serve` is ready again by itself."""
    await patient.prepare_with(past)
    await patient.serve()
    damage(patient.data / "views.sqlite", 2)
    patient.receiver.answers.clear()
    await patient.accept(200)
    await patient.until_not_ready("views.sqlite is damaged")
    patient.receiver.answers.set()
    await patient.until_ready()
    await patient.accept(5)
    await patient.all_delivered()
    assert "views.sqlite is made anew" in patient.log
    await patient.stop()
    rebuilt = await patient.place.run("rebuild", "--json")
    assert rebuilt.json["equal"] is True
