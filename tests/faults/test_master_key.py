"""A master key that is gone, wrong, or not one: `serve` does not start, and says which and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

AS_OWNER = str(Path(__file__).parent / "as_owner.py")


def gone(key):
    key.unlink()


def another(key):
    key.write_text("22" * 32)


def too_short(key):
    key.write_text("22" * 31)


def not_readable(key):
    key.chmod(0o000)


def for_everybody(key):
    key.chmod(0o644)


def a_directory(key):
    key.unlink()
    key.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            gone,
            "is not there, and without it no webhook's secret can be read: bring it, name the --data that has it",
        ),
        (another, "bring back master.key or HOOKLEDGER_KEY"),
        (too_short, "is not a master key: it must be 32 bytes in base64, or 64 hex digits"),
        (not_readable, "cannot be read: Permission denied"),
        (for_everybody, "others than its owner have access to the master key"),
        (a_directory, "cannot be read: Is a directory"),
    ],
)
async def test_a_key_file_that_is_no_key_is_refused(patient, past, spoil, words):
    """With it every delivery would fail: none is tried, and one line says what is wrong and what to do."""
    await patient.prepare_with(past)
    key = patient.data / "master.key"
    kept = key.read_text()
    spoil(key)
    line = await patient.refused(AS_OWNER)
    assert words in line
    assert kept.strip() not in line
    if key.is_dir():
        key.rmdir()
    key.touch()
    key.chmod(0o600)
    key.write_text(kept)
    await patient.is_mended()


async def test_what_was_pending_goes_out_once_the_key_is_back(patient):
    """A start that was refused has tried nothing, and lost nothing."""
    await patient.prepare()
    await patient.serve()
    patient.receiver.answers.clear()
    await patient.accept(3)
    await patient.receiver.until(3)
    await patient.kill()
    (patient.data / "master.key").rename(patient.data / "kept")
    await patient.refused()
    assert patient.receiver.seen.total() == 3
    (patient.data / "kept").rename(patient.data / "master.key")
    patient.receiver.answers.set()
    await patient.serve()
    await patient.receiver.until(6)
    assert set(patient.receiver.seen.values()) == {2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("33" * 32, "bring back master.key or HOOKLEDGER_KEY"),
        ("a password", "HOOKLEDGER_KEY is not a master key: it must be 32 bytes in base64, or 64 hex digits"),
    ],
)
async def test_a_wrong_key_of_the_environment_is_refused(patient, past, text, words):
    """It is tried before anything is delivered, and never printed."""
    await patient.prepare_with(past)
    patient.place.environment["HOOKLEDGER_KEY"] = text
    line = await patient.refused()
    assert words in line
    assert text not in line
    del patient.place.environment["HOOKLEDGER_KEY"]
    await patient.is_mended()
