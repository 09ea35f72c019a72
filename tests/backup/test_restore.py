"""A restore puts a whole ledger where there was none, with the key that opens it, or changes nothing."""

from __future__ import annotations

import shutil

import pytest

from core.backup import copy_ledger
from core.data_directory import Lock
from core.errors import ConflictError, InvalidInputError, LedgerBusyError, LedgerError, NotFoundError
from core.operations import webhooks
from core.restore import restore
from tests.backup.test_backup import an_unheard_event
from tests.builders import Books, open_office
from tests.end_to_end.place import Place
from tests.invented import InventedClock


@pytest.fixture(name="copy")
async def _copy(tmp_path):
    """A backup of a ledger with one webhook, whose key lies beside it."""
    office = open_office(tmp_path / "old")
    await office.start()
    await office.webhooks.create(tenant="1", name="mine", url="https://receiver.example/", by=None)
    await office.close()
    copy = tmp_path / "copy.sqlite"
    copy_ledger(tmp_path / "old" / "ledger.sqlite", copy, InventedClock())
    (tmp_path / "old" / "master.key").rename(tmp_path / "key")
    return copy


def restored(copy, data, key_file=None, **environment):
    return restore(copy, data, key_file, environment, InventedClock())


async def test_without_its_key_a_ledger_is_restored_and_says_what_is_missing(copy, tmp_path):
    """The key may come later; until then the service does not start, and says why."""
    made = restored(copy, tmp_path / "new")
    assert made.key is False
    with pytest.raises(LedgerError, match=r"master key .* is not there"):
        open_office(tmp_path / "new")
    (tmp_path / "key").rename(tmp_path / "new" / "master.key")
    office = open_office(tmp_path / "new")
    await office.start()
    assert [known.name for known in office.directory.webhooks.values()] == ["mine"]
    await office.close()


async def test_a_key_of_the_environment_is_tried(copy, tmp_path):
    """It opens the newest secret, or the restore is refused."""
    with pytest.raises(LedgerError, match="sealed with the master key"):
        restored(copy, tmp_path / "new", HOOKLEDGER_KEY="11" * 32)
    assert restored(copy, tmp_path / "new", HOOKLEDGER_KEY=(tmp_path / "key").read_text()).key is True


async def test_a_ledger_with_its_log_beside_it_is_no_backup(tmp_path):
    """What was recorded last is only in the log: a copy without it would be whole, and lack it. `backup` has both."""
    (tmp_path / "old").mkdir()
    with Books(tmp_path / "old") as books:
        books.append(an_unheard_event(1))
        shutil.copytree(tmp_path / "old", tmp_path / "broken")
    with pytest.raises(ConflictError, match=r"-wal belongs to it: .*`hookledger backup FILE --data .*broken`"):
        restored(tmp_path / "broken" / "ledger.sqlite", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    copy_ledger(tmp_path / "broken" / "ledger.sqlite", tmp_path / "copy", InventedClock())
    assert restored(tmp_path / "copy", tmp_path / "new").position == 1


async def test_a_key_beside_the_copy_is_asked_for(copy, tmp_path):
    """What `backup --with-key` put there is named, or nothing is restored; a key that is there already will do."""
    beside = copy.with_name(f"{copy.name}.key")
    (tmp_path / "key").rename(beside)
    with pytest.raises(InvalidInputError, match=f"name it with --key {beside}"):
        restored(copy, tmp_path / "new")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["lock"]
    assert restored(copy, tmp_path / "new", beside).key is True
    assert restored(copy, tmp_path / "other", HOOKLEDGER_KEY=beside.read_text()).key is True


def a_ledger(data):
    (data / "ledger.sqlite").write_bytes(b"anything")


def its_log(data):
    (data / "ledger.sqlite-wal").write_bytes(b"what was written last")


def another_key(data):
    (data / "master.key").write_text("22" * 32)
    (data / "master.key").chmod(0o600)


@pytest.mark.parametrize("there", [a_ledger, its_log, another_key])
async def test_what_is_there_is_never_replaced(copy, tmp_path, there):
    """A ledger, what SQLite keeps beside one, a key: they may be all that somebody has left."""
    data = tmp_path / "new"
    data.mkdir()
    there(data)
    before = {file.name: file.read_bytes() for file in data.iterdir()}
    with pytest.raises(ConflictError, match="away first"):
        restored(copy, data, tmp_path / "key")
    assert {file.name: file.read_bytes() for file in data.iterdir() if file.name != "lock"} == before


def cut(copy):
    copy.write_bytes(copy.read_bytes()[:-8_192])


def rubbish(copy):
    copy.write_bytes(b"rubbish" * 10_000)


def empty(copy):
    copy.write_bytes(b"")


@pytest.mark.parametrize("spoil", [cut, rubbish, empty])
async def test_what_is_not_whole_is_not_restored(copy, tmp_path, spoil):
    """The copy is checked before it becomes the ledger."""
    spoil(copy)
    with pytest.raises(LedgerError):
        restored(copy, tmp_path / "new", tmp_path / "key")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["lock"]


async def test_what_cannot_be_done_is_said_so(copy, tmp_path):
    """No such copy, no such key, no such place, somebody at work there."""
    (tmp_path / "file").write_text("")
    (tmp_path / "held").mkdir()
    lock = Lock(tmp_path / "held")
    said = [
        (NotFoundError, "there is no file", (tmp_path / "none", tmp_path / "new")),
        (NotFoundError, "there is no file", (copy, tmp_path / "new", tmp_path / "none")),
        (LedgerError, "cannot be used", (copy, tmp_path / "file" / "below")),
        (LedgerBusyError, "another process", (copy, tmp_path / "held")),
    ]
    for kind, words, asked in said:
        with pytest.raises(kind, match=words):
            restored(*asked)
    lock.close()


async def test_views_of_the_lost_ledger_go(copy, tmp_path):
    """Rows of what the restored ledger does not hold are not shown by anybody."""
    data = tmp_path / "old"
    (data / "ledger.sqlite").unlink()
    assert (data / "views.sqlite").exists()
    restored(copy, data, tmp_path / "key")
    assert not list(data.glob("views.sqlite*")) + list(data.glob("claims.sqlite*"))


async def test_the_command_prints_what_it_did(copy, tmp_path):
    """For people in lines, with what is still missing; a refusal is one line, exit code 1."""
    place = Place(tmp_path / "new")
    try:
        done = await place.run("restore", str(copy))
        assert done.code == 0, done.err
        assert f"missing: bring it to {place.data / 'master.key'}" in done.out
        refused = await place.run("restore", str(copy))
        assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
        (tmp_path / "key").rename(place.data / "master.key")
        assert [one.name for one in await place.ask(webhooks.LIST, webhooks.ListWebhooks())] == ["mine"]
    finally:
        await place.close()
