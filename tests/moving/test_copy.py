"""`hookledger copy` moves a whole ledger between a directory and a database, row by row, whatever is killed when."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
from contextlib import closing, suppress

import aiohttp
import psycopg
import pytest

from core.errors import LedgerError
from core.ledger.key_check import check_key
from core.ledger.keys import MasterKey
from core.ledger.postgres.recorder import PostgresRecorder, connect
from core.ledger.unit import Claim, Entry, Unit
from core.moving import PART_FILE
from tests.builders import NOW, Books, create_webhook, neutral, stream
from tests.end_to_end.place import ALLOW, DEADLINE_S, Place, a_portal_event
from tests.moving.places import KEYS, a_ledger, check_values, copied, moved, rows

SMALL_BATCHES = (
    "import sys; import core.limits; core.limits.COPY_EVENTS_MAX = 20;from hookledger import main; main(sys.argv[1:])"
)


async def test_a_service_moves_to_a_database_and_back(place, receiver, schema, tmp_path):
    """Both copies are equal to the last row, the ledger's id too; on the way back what was pending is delivered, under
    the same key, and what was accepted stays known."""
    await place.webhook(f"{receiver.url}/a", triggers=("file.created",))
    token = await place.token()
    serving = await place.serve(*ALLOW)
    first = await published(serving, token, a_portal_event("e1"))
    await place.until(first + 1, "delivered")
    await receiver.next()
    receiver.status = 500
    later = await published(serving, token, a_portal_event("e2"))
    await place.until(later + 1, "retrying")
    await receiver.next()
    in_use = await copied(place, schema, place.data, schema.url)
    assert (in_use.code, in_use.out, in_use.err.count("\n")) == (1, "", 1)
    assert "stop it" in in_use.err
    assert await serving.stop() == 0

    before = rows(place.data)
    unready = await copied(place, schema, place.data, schema.url)
    assert (unready.code, "`hookledger migrate` it" in unready.err) == (1, True)
    assert (await place.run("migrate", "--database", schema.url, "--schema", schema.schema)).code == 0
    there = await copied(place, schema, place.data, schema.url)
    assert there.code == 0, there.err
    assert "The master key is not copied" in there.err
    assert rows(schema) == before
    back = tmp_path / "back"
    again = await copied(place, schema, schema.url, back, "--json")
    assert again.code == 0, again.err
    assert (again.json["position"], again.json["copied"], again.json["key"]) == (
        len(before["events"]), len(before["events"]), "missing",
    )  # fmt: skip
    assert rows(back) == before == rows(place.data)
    assert check_values(back) == check_values(schema) != []

    shutil.copy(place.data / "master.key", back / "master.key")
    receiver.status = 200
    other = Place(back)
    try:
        serving = await other.serve(*ALLOW)
        await other.until(later + 1, "delivered")
        assert "x-docspace-signature-256" in {name.lower() for name in (await receiver.next()).headers}
        assert await published(serving, token, a_portal_event("e2")) == later
        assert await serving.stop() == 0
        (back / "master.key").write_text(KEYS[1].hex())
        wrong = await other.run("serve", "--port", "0")
        assert (wrong.code, "was sealed with the master key" in wrong.err) == (1, True)
    finally:
        await other.close()


async def published(serving, token, event):
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(serving.url, headers=headers) as session,
        session.post("/api/ledger/events", json=event) as answer,
    ):
        return (await answer.json())["events"][0]["position"]


@pytest.mark.parametrize("way", ["there", "back"])
async def test_killed_on_the_way_and_typed_again(place, database, tmp_path, tell, way):
    """What a killed copy leaves ends with a whole commit, and nobody can use it; typed again it goes on from there, and
    comes to the same rows."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    head = a_ledger(old, commits=1_000)
    source, target = (old, database) if way == "there" else (database, new)
    if way == "back":
        moved(old, database)
    words = [str(getattr(one, "url", one)) for one in (source, target)]
    words = ["copy", "--from", words[0], "--to", words[1], "--schema", database.schema]
    process = await place.start_python("-c", SMALL_BATCHES, *words)
    async with asyncio.timeout(DEADLINE_S):
        while await asyncio.to_thread(ends, target) < (head // 3, 0):
            assert process.returncode is None
    process.send_signal(signal.SIGKILL)
    await process.wait()
    last, newest = ends(target)
    assert 0 < newest == last < head
    tell(f"killed at {newest} of {head}")
    if way == "there":
        with pytest.raises(LedgerError, match="has half a ledger: type the `hookledger copy`"):
            PostgresRecorder(*database)
        migrated = await place.run("migrate", "--database", database.url, "--schema", database.schema)
        assert "half a copy" in migrated.out
    else:
        assert not (new / "ledger.sqlite").exists()
    ran = await place.run(*words)
    assert (ran.code, f"went on after  {newest}" in ran.out) == (0, True), (ran.out, ran.err)
    assert rows(target) == rows(source) == rows(old)
    with Books(target) as books:
        assert books.append(Unit([neutral(77_777)]), Unit([neutral(77_778)], Claim("event:1", "5")))[0] == head + 1


def ends(place):
    """The last event and the newest commit of what is half there; zeros before the first."""
    sql = "SELECT (SELECT max(position) FROM {0}events), (SELECT max(last) FROM {0}commits)"
    found = (None, None)
    if hasattr(place, "schema"):
        with psycopg.connect(place.url, autocommit=True) as connection:
            found = connection.execute(sql.format(f"{place.schema}.")).fetchone()
    elif (place / PART_FILE).exists():
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(place / PART_FILE)) as connection:
            found = connection.execute(sql.format("")).fetchone()
    return found if found[1] else (0, 0)


def test_copied_twice_nothing_is_done(data, database, tmp_path):
    """A copy that is there already is compared again; what was recorded since is added to it."""
    first = moved(data, database)
    again = moved(data, database)
    assert (again.copied, again.hash, again.position) == (0, first.hash, first.position)
    moved(database, tmp_path / "new")
    with Books(data) as books:
        books.append(Unit([neutral(77_777)]), at=NOW + 10**6)
        books.append(Unit([Entry(stream(77_778), 1, create_webhook())]), at=NOW + 10**6)
    for target in (database, tmp_path / "new"):
        more = moved(data, target)
        assert (more.went_on_after, more.copied) == (first.position, 2)
        assert rows(target) == rows(data)


def test_a_file_to_a_file(data, tmp_path):
    """Between two directories it is the same, and what a view or an index holds is made again there."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "views.sqlite").write_bytes(b"of another ledger")
    moved(data, tmp_path / "new")
    assert rows(tmp_path / "new") == rows(data)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["ledger.sqlite", "lock"]
    assert (tmp_path / "new" / "ledger.sqlite").stat().st_mode & 0o777 == 0o600


def test_an_empty_ledger_is_copied(database, tmp_path):
    """There is nothing in it but its id."""
    (tmp_path / "old").mkdir()
    Books(tmp_path / "old").close()
    assert moved(tmp_path / "old", database).position == 0
    assert rows(database) == rows(tmp_path / "old")


def test_a_copy_takes_the_sources_key_check(data, database):
    """The key that `migrate` made for the empty ledger opens nothing of what comes: it is no longer the ledger's."""
    with connect(*database) as connection:
        connection.execute(
            "INSERT INTO key_check VALUES (%s)", (MasterKey(KEYS[1]).seal("hookledger", b"", bytes(12)),)
        )
    moved(data, database)
    with closing(PostgresRecorder(*database)) as recorder:
        assert check_key(recorder, MasterKey(KEYS[0])) is True
