"""A data directory that may not be written, is held by somebody, or goes away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

AS_OWNER = str(Path(__file__).parent / "as_owner.py")


@pytest.fixture(name="modes")
def _modes(patient):
    """Permissions are given back, so that what was made can be removed."""
    yield
    for path in (patient.data, *patient.data.glob("*")):
        path.chmod(0o700)


async def test_a_directory_that_may_not_be_written_is_said_so(patient, past, modes):
    """`serve` ends with one line that names it; when it may be written, all goes on."""
    await patient.prepare_with(past)
    for file in ("lock", "operator.sock"):
        (patient.data / file).unlink(missing_ok=True)
    patient.data.chmod(0o500)
    line = await patient.refused(AS_OWNER)
    assert f"{patient.data / 'lock'} cannot be opened: Permission denied" in line
    assert f"let the user of this process write {patient.data}" in line
    patient.data.chmod(0o700)
    await patient.serve(AS_OWNER)
    await patient.accept()
    await patient.all_delivered()


@pytest.mark.parametrize("name", ["ledger.sqlite", "claims.sqlite", "views.sqlite"])
async def test_a_file_that_may_not_be_written_is_said_so(patient, past, modes, name):
    """`serve` ends with one line that names the file, whichever of the three it is."""
    await patient.prepare_with(past)
    (patient.data / name).chmod(0o400)
    line = await patient.refused(AS_OWNER)
    assert line.startswith(f"{patient.data / name}: it may not be written: let the user of this process write it")
    (patient.data / name).chmod(0o600)
    await patient.is_mended()


async def test_a_directory_becomes_read_only_while_serve_runs(patient, modes):
    """What is open stays open: events are accepted and delivered, and `serve` stays ready."""
    await patient.prepare()
    await patient.serve(AS_OWNER)
    await patient.accept()
    for path in (*patient.data.glob("*"), patient.data):
        path.chmod(0o500 if path.is_dir() else 0o400)
    await patient.accept(20)
    await patient.receiver.has_all(list(patient.acknowledged))
    assert (await patient.ready()).status == 200


async def test_the_disk_takes_nothing_any_more(patient):
    """As when the system makes a failing disk read-only: 503 and the reason, and on it goes when that is mended."""
    await patient.prepare()
    await patient.serve()
    await patient.accept(2)
    await patient.all_delivered()
    patient.limit_files(0)
    refused = await patient.publish()
    assert (refused.status, refused.retry_after) == (503, "5")
    reason = await patient.until_not_ready("its disk does not give or take what it should")
    assert "look into the system's log" in reason
    patient.limit_files()
    await patient.until_ready()
    await patient.accept()
    await patient.all_delivered()


async def test_a_second_serve_is_refused(patient):
    """It names who holds the directory; the first one does not notice."""
    await patient.prepare()
    await patient.serve()
    line = await patient.refused()
    assert line.startswith(f"another process (pid {patient.process.pid}) holds {patient.data}")
    await patient.accept()
    await patient.all_delivered()
    await patient.stop()


async def test_the_directory_is_renamed_and_comes_back(patient, tmp_path):
    """What would be written where nobody looks for it is refused; when the directory is back, all goes on."""
    await patient.prepare()
    await patient.serve()
    await patient.accept(2)
    await patient.all_delivered()
    patient.data.rename(tmp_path / "elsewhere")
    refused = await patient.publish()
    assert (refused.status, refused.retry_after) == (503, "5")
    reason = await patient.until_not_ready(f"{patient.data / 'ledger.sqlite'} is no longer where it was opened")
    assert "bring it back, and it goes on by itself" in reason
    (tmp_path / "elsewhere").rename(patient.data)
    await patient.until_ready()
    await patient.accept()
    await patient.all_delivered()
    await patient.stop()


async def test_the_directory_is_removed(patient):
    """Nothing more is acknowledged, readiness says what is gone, and `serve` still ends in order."""
    await patient.prepare()
    await patient.serve()
    await patient.accept(2)
    await patient.all_delivered()
    shutil.rmtree(patient.data)
    assert (await patient.publish()).status == 503
    await patient.until_not_ready(f"{patient.data / 'ledger.sqlite'} is no longer where it was opened")
    patient.data.mkdir()
    assert (await patient.publish()).status == 503
    assert list(patient.data.iterdir()) == []
    await patient.stop()


async def test_the_log_of_the_ledger_is_removed(patient):
    """What is newest lives in ledger.sqlite-wal: once that is taken away nothing more is acknowledged, and a stop and a
    start bring back all that was."""
    await patient.prepare()
    await patient.serve()
    await patient.accept(5)
    await patient.all_delivered()
    (patient.data / "ledger.sqlite-wal").unlink()
    assert (await patient.publish()).status == 503
    reason = await patient.until_not_ready("ledger.sqlite-wal was taken away")
    assert "stop hookledger and start it again; nothing is lost yet" in reason
    await patient.stop()
    await patient.serve()
    await patient.accept()
    await patient.all_delivered()
