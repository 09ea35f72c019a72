"""A backup is one state of the ledger, whole or not there, and a ledger restored from it goes on where it was."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sqlite3
import time
from contextlib import closing
from hashlib import sha256

import aiohttp
import pytest
from aiohttp import web

from core import backup
from core.errors import ConflictError
from core.ledger.sqlite import SqliteRecorder
from core.ledger.unit import Body, Entry, Unit
from core.model.portal_event import Proof, Received
from core.operations import deliveries, delivery_story, webhooks
from tests.builders import NOW, Books
from tests.end_to_end.place import ALLOW, DEADLINE_S, Place, a_portal_event
from tests.invented import InventedClock

BODY_BYTES = 64 * 1024


def a_large_ledger(data, megabytes=24):
    """A ledger in which most is bodies of events that nobody asked for."""
    data.mkdir(exist_ok=True)
    with Books(data) as books:
        for first in range(0, megabytes * 16, 16):
            books.append(*map(an_unheard_event, range(first, first + 16)))


def an_unheard_event(number):
    stream = NOW.to_bytes(6, "big") + number.to_bytes(10, "big")
    data = number.to_bytes(4, "big") * (BODY_BYTES // 4)
    received = Received(
        "1", NOW, f"unheard-{number}", "kite.flown", None, None, None, None, None, (), None, ("http", "test"),
        None, None, None, 0, Proof(len(data), sha256(bytes(16) + data).digest()), None,
    )  # fmt: skip
    return Unit([Entry(stream, 1, received)], bodies=(Body(0, bytes(16), data),))


class Portal:
    """Who publishes, one event after the other."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}
        self.acknowledged: dict[str, int] = {}
        self.longest_s = 0.0

    async def publish(self, *ids: str) -> list[dict]:
        async with aiohttp.ClientSession(self._url, headers=self._headers) as session:
            return await self._publish(session, ids)

    async def publish_until(self, is_over: asyncio.Event, name: str) -> None:
        async with aiohttp.ClientSession(self._url, headers=self._headers) as session:
            number = 0
            while not is_over.is_set():
                await self._publish(session, [f"{name}-{number}"])
                number += 1

    async def _publish(self, session, ids) -> list[dict]:
        began = time.perf_counter()
        async with session.post("/api/ledger/events", json=[a_portal_event(id) for id in ids]) as answer:
            assert answer.status == 200, await answer.text()
            said = (await answer.json())["events"]
        self.longest_s = max(self.longest_s, time.perf_counter() - began)
        for one in said:
            assert "error" not in one, one
            self.acknowledged.setdefault(one["id"], one["position"])
        return said


async def test_a_restored_ledger_goes_on_where_the_backup_was_made(place, receiver, tmp_path):
    """Webhooks, deliveries and stories are the same; what is known stays known; what was pending is delivered."""
    refused = web.Application()
    is_well = asyncio.Event()

    async def hear(request):
        return await receiver.hear(request) if is_well.is_set() else web.Response(status=500)

    refused.router.add_post("/{path:.*}", hear)
    runner = web.AppRunner(refused, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await place.webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/later", triggers=("file.updated",))
    await place.webhook(f"{receiver.url}/now", triggers=("file.created",))
    token = await place.token()
    serving = await place.serve(*ALLOW)
    portal = Portal(serving.url, token)
    said = await portal.publish("e1", "e2")
    async with aiohttp.ClientSession(serving.url, headers={"Authorization": f"Bearer {token}"}) as session:
        event = a_portal_event("later", "file.updated")
        async with session.post("/api/ledger/events", json=event) as answer:
            pending = (await answer.json())["events"][0]["position"] + 1
    for one in said:
        await place.until(one["position"] + 1, "delivered")
    await place.until(pending, "retrying")

    made = await place.run("backup", str(tmp_path / "copy.sqlite"), "--with-key", "--json")
    assert made.code == 0, made.err
    assert (made.json["file"], made.json["tenants"]) == (str(tmp_path / "copy.sqlite"), 1)
    before = [await place.ask(*asked) for asked in (LISTED, WEBHOOKS)]
    ids = [one.id for one in before[0].deliveries]
    stories = [await place.ask(delivery_story.SHOW, delivery_story.ShowDelivery(id)) for id in ids]
    await portal.publish("after the backup")
    serving.process.kill()
    await serving.process.wait()

    again = Place(tmp_path / "restored")
    try:
        restored = await again.run(
            "restore", str(tmp_path / "copy.sqlite"), "--key", str(tmp_path / "copy.sqlite.key"), "--json"
        )
        assert (restored.code, restored.json["position"]) == (0, made.json["position"]), restored.err
        assert restored.json["key"] is True
        assert [await again.ask(*asked) for asked in (LISTED, WEBHOOKS)] == before
        assert [await again.ask(delivery_story.SHOW, delivery_story.ShowDelivery(id)) for id in ids] == stories
        is_well.set()
        serving = await again.serve(*ALLOW)
        portal = Portal(serving.url, token)
        same, lost, new = await portal.publish("e1", "after the backup", "new")
        assert (same["duplicate"], same["position"]) == (True, said[0]["position"])
        assert "duplicate" not in lost
        for number in (pending, lost["position"] + 1, new["position"] + 1):
            await again.until(number, "delivered")
        assert await serving.stop() == 0
    finally:
        await again.close()
        await runner.cleanup()


LISTED = (deliveries.LIST, deliveries.ListDeliveries())
WEBHOOKS = (webhooks.LIST, webhooks.ListWebhooks())


async def test_publishing_goes_on_while_a_backup_is_made(place, receiver, tmp_path, tell):
    """The writer waits for no copy: events are accepted all the time, and those of before are in it, none in half."""
    token = await place.token()
    await place.webhook(f"{receiver.url}/")
    a_large_ledger(place.data)
    serving = await place.serve(*ALLOW)
    portal = Portal(serving.url, token)
    is_over = asyncio.Event()
    publishing = asyncio.create_task(portal.publish_until(is_over, "e"))
    try:
        async with asyncio.timeout(DEADLINE_S):
            while len(portal.acknowledged) < 20:
                await portal.publish(f"before-{len(portal.acknowledged)}")
        before = max(portal.acknowledged.values())
        portal.longest_s = 0.0
        done = await place.run("backup", str(tmp_path / "copy.sqlite"), "--json")
        assert done.code == 0, done.err
        after = max(portal.acknowledged.values())
    finally:
        is_over.set()
        await publishing
    made = done.json
    tell(f"{made['bytes']} bytes in {made['seconds']} s; {after - before} positions and at most "
         f"{portal.longest_s * 1000:.0f} ms for a request meanwhile")  # fmt: skip
    assert before <= made["position"] <= after
    assert after > before
    assert portal.longest_s < 2
    with closing(sqlite3.connect(made["file"])) as copy:
        recorded = dict(copy.execute("SELECT c.position, e.version FROM claims c JOIN events e USING (position)"))
        assert {at for at in portal.acknowledged.values() if at <= made["position"]} <= set(recorded)
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert sorted(file.name for file in tmp_path.iterdir() if "copy" in file.name) == ["copy.sqlite"]


async def test_a_killed_backup_leaves_nothing_under_its_name(place, tmp_path):
    """What is there under the name of a backup is whole, whenever the copying was killed; the next one cleans up."""
    a_large_ledger(place.data)
    (tmp_path / "to").mkdir()
    target, part = tmp_path / "to" / "copy.sqlite", tmp_path / "to" / ".copy.sqlite.part"
    copying = await place.start("backup", str(target))
    async with asyncio.timeout(DEADLINE_S):
        while not (part.exists() and part.stat().st_size > 2**20):
            await asyncio.get_running_loop().run_in_executor(None, part.exists)
    copying.send_signal(signal.SIGKILL)
    await copying.wait()
    assert part.exists()
    assert not target.exists()
    assert (await place.run("backup", str(target))).code == 0
    assert [file.name for file in target.parent.iterdir()] == ["copy.sqlite"]


def test_a_backup_that_is_stopped_between_two_steps_leaves_nothing(tmp_path):
    """Whatever ends the copying, the half of it goes."""
    a_large_ledger(tmp_path / "data", megabytes=8)

    def stop(done, pages):
        assert 0 < done < pages
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.copy_ledger(tmp_path / "data" / "ledger.sqlite", tmp_path / "copy", InventedClock(), stop)
    assert not list(tmp_path.glob("*copy*"))


async def test_a_full_disk_is_said_so(place, tmp_path):
    """Where the copy finds no room, nothing is left, and one line says what was wrong."""
    a_large_ledger(place.data, megabytes=4)
    limited = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20));"
    limited += "os.execv(sys.executable, [sys.executable, '-m', 'hookledger', *sys.argv[1:]])"
    ran = await place.ended(await place.start_python("-c", limited, "backup", str(tmp_path / "copy")))
    assert (ran.code, ran.out) == (1, "")
    assert f"{place.data / 'ledger.sqlite'} cannot be copied to {tmp_path / 'copy'}: " in ran.err
    assert "Traceback" not in ran.err
    assert not list(tmp_path.glob("*copy*"))


async def test_a_backup_says_what_is_in_the_way(place, tmp_path):
    """No ledger, a name that is taken, a place that is not there: one line each, and nothing is touched."""
    begun = await place.run("backup", str(tmp_path / "copy"))
    assert (begun.code, "no ledger in" in begun.err) == (1, True)
    await place.webhook("https://example.com/")
    taken = tmp_path / "taken"
    taken.write_text("mine")
    there = await place.run("backup", str(taken))
    assert (there.code, f"{taken} is there already" in there.err, taken.read_text()) == (1, True, "mine")
    missing, a_file = (tmp_path / "no", "make it, or"), (taken, "is a file and no directory")
    for (directory, says), name in itertools.product((missing, a_file), ("/", "/copy")):
        ran = await place.run("backup", f"{directory}{name}")
        assert (ran.code, ran.out, ran.err.count("\n"), "ledger" in ran.err.split(": ", 1)[1]) == (1, "", 1, False)
        assert (str(directory) in ran.err, says in ran.err) == (True, True)
    (place.data / "master.key").unlink()
    keyless = await place.run("backup", str(tmp_path / "copy"), "--with-key")
    assert (keyless.code, "no master key" in keyless.err) == (1, True)


async def test_a_directory_gets_a_copy_named_by_its_time(place, tmp_path):
    """So that a daily backup is one line for cron; the key is not in it unless it is asked for, and that is said."""
    await place.webhook("https://example.com/")
    (tmp_path / "backups").mkdir()
    done = await place.run("backup", f"{tmp_path / 'backups'}/")
    assert "directories of 1 tenant\n" in done.out
    (file,) = (tmp_path / "backups").iterdir()
    assert file.name.startswith("hookledger-2")
    assert str(file) in done.out
    assert file.stat().st_mode & 0o777 == 0o600
    assert "The master key is not in it" in done.err


def test_the_copy_is_the_state_at_its_beginning(tmp_path):
    """What is committed while it is copied is not in it, not even by halves."""
    a_large_ledger(tmp_path, megabytes=8)
    with Books(tmp_path) as books:
        head = books.appender.last

        def append(done, pages):
            books.append(an_unheard_event(10_000 + done))

        made = backup.copy_ledger(tmp_path / "ledger.sqlite", tmp_path / "copy", InventedClock(), append)
        assert books.appender.last > head
    assert made.position == head
    with closing(SqliteRecorder(tmp_path / "copy")) as copy:
        assert copy.rows("SELECT count(*), max(position) FROM events") == [(head, head)]


def test_a_backup_never_takes_the_place_of_another(tmp_path):
    """A name that is there is refused before anything is read."""
    (tmp_path / "copy").write_text("the only one")
    with pytest.raises(ConflictError, match="is there already"):
        backup.copy_ledger(tmp_path / "ledger.sqlite", tmp_path / "copy", InventedClock())
