"""A full disk: said so, nothing acknowledged lost, nothing made twice, and it goes on by itself when there is room."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.patient import Patient
from tests.faults.small_disk import SmallDisk, can_mount

HERE = Path(__file__).parent

with tempfile.TemporaryDirectory() as somewhere:
    CAN_MOUNT = can_mount(Path(somewhere))


class FileSizeLimit:
    """No file may grow: what every machine can do."""

    words = "its disk does not give or take what it should"

    def __init__(self, patient: Patient) -> None:
        self._patient = patient

    def fill(self) -> None:
        self._patient.limit_files((self._patient.data / "ledger.sqlite-wal").stat().st_size)

    def make_room(self) -> None:
        self._patient.limit_files()

    def close(self) -> None:
        pass


class FullDisk(SmallDisk):
    """The data directory is a small disk."""

    words = "its disk is full"

    def __init__(self, patient: Patient) -> None:
        super().__init__(patient.data)


WAYS = [FileSizeLimit, FullDisk] if CAN_MOUNT else [FileSizeLimit]


@pytest.fixture(name="disk", params=WAYS)
async def _disk(request, patient):
    disk = request.param(patient)
    yield disk
    await patient.kill()
    disk.close()


async def test_the_disk_is_full_while_serve_runs(patient, disk):
    """Intake answers 503, readiness says why, and no receiver is asked what could not be recorded; then all goes on."""
    await patient.prepare()
    await patient.serve()
    await patient.accept(3)
    await patient.all_delivered()
    patient.receiver.answers.clear()
    await patient.accept(20)
    await patient.receiver.until(3 + 4)
    disk.fill()
    refused = await patient.publish(5)
    assert (refused.status, refused.retry_after) == (503, "5")
    assert re.search(rf"{patient.data}/\w+\.sqlite: {disk.words}", refused.body["detail"])
    assert "nothing was kept" in refused.body["detail"]
    reason = await patient.until_not_ready("the ledger cannot write")
    assert re.search(rf"{patient.data}/\w+\.sqlite: {disk.words}", reason)
    assert "by itself" in reason

    asked = patient.receiver.seen.total()
    assert asked < 3 + 20
    patient.receiver.answers.set()
    for _ in range(20):
        assert (await patient.publish(5)).status == 503
    assert (await patient.ready()).status == 503
    assert patient.receiver.seen.total() == asked, "asked although the outcome could not be recorded"

    disk.make_room()
    await patient.until_ready()
    await patient.accept(5)
    await patient.all_delivered()
    assert patient.log.count("the ledger cannot write") == 1
    assert patient.log.count("the ledger is written again") == 1
    await patient.stop()


async def test_serve_is_stopped_while_the_disk_is_full(patient, disk):
    """It ends in order; what could not be recorded is asked again by the next start, and nothing is lost."""
    await patient.prepare()
    await patient.serve()
    patient.receiver.answers.clear()
    await patient.accept(10)
    await patient.receiver.until(4)
    disk.fill()
    assert (await patient.publish()).status == 503
    patient.receiver.answers.set()
    said = await patient.stop()
    assert re.search(r"\b[4-9] cut off and due again at the next start", said), said
    disk.make_room()
    await patient.serve()
    await patient.receiver.has_all(list(patient.acknowledged))
    assert max(patient.receiver.seen.values()) == 2
    assert len(patient.receiver.seen) == 10


async def test_the_disk_is_full_at_the_start(patient, disk):
    """`serve` ends with one line that names the file and what to do; with room it starts."""
    await patient.prepare()
    await patient.serve()
    await patient.accept(3)
    await patient.all_delivered()
    await patient.stop()
    if isinstance(disk, SmallDisk):
        disk.fill()
        line = await patient.refused()
        disk.make_room()
    else:
        line = await patient.refused(str(HERE / "limited.py"), "0")
    assert line.startswith(str(patient.data))
    assert disk.words in line or "unable to open" in line or "disk I/O error" in line
    await patient.serve()
    await patient.accept()
    await patient.all_delivered()


async def test_only_the_views_cannot_be_written(patient, tmp_path):
    """Events are accepted and delivered all the while; readiness and lists say that they are behind, and nobody takes
    what is listed for all there is; then they catch up."""
    await patient.prepare()
    views = patient.data / "views.sqlite"
    if CAN_MOUNT:
        disk = SmallDisk(tmp_path / "disk")
        for file in patient.data.glob("views.sqlite*"):
            shutil.move(file, disk.at / file.name)
        views.symlink_to(disk.at / "views.sqlite")
    try:
        await patient.serve()
        await patient.accept(3)
        await patient.all_delivered()
        if CAN_MOUNT:
            disk.fill()
            await patient.accept(100)
            reason = await patient.until_not_ready("its disk is full")
        else:
            locked = sqlite3.connect(views, isolation_level=None)
            locked.execute("BEGIN IMMEDIATE")
            await patient.accept(100)
            reason = await patient.until_not_ready("another program has locked it")
        assert "the view" in reason
        assert "is not kept up" in reason
        assert "by itself" in reason
        await patient.accept(100)
        await patient.receiver.has_all(list(patient.acknowledged))
        counted = await patient.place.run("deliveries", "list", "--count")
        assert (counted.code, int(counted.out) < len(patient.acknowledged)) == (0, True)
        assert re.search(r"hookledger: the newest \d+ recorded events are not in this", counted.err)
        refused = await patient.place.run("deliveries", "redeliver", "--state", "delivered", "--yes")
        assert refused.code == 1
        assert "so what is meant is not known" in refused.err
        if CAN_MOUNT:
            disk.make_room()
        else:
            locked.close()
        await patient.until_ready()
        await patient.all_delivered()
        await patient.stop()
        with closing(sqlite3.connect(patient.data / "ledger.sqlite")) as ledger:
            (head,) = ledger.execute("SELECT max(last) FROM commits").fetchone()
        with closing(sqlite3.connect(views)) as rows:
            assert set(rows.execute("SELECT position FROM tracking")) == {(head,)}
    finally:
        await patient.kill()
        if CAN_MOUNT:
            disk.close()
