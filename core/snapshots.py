"""The directory as it was kept, and what was recorded since: how a process knows at its start who listens."""

from __future__ import annotations

from core.directory import SNAPSHOT, Directory
from core.ledger.fault import FAULTS
from core.ledger.read import Reader
from core.ledger.store import Appender
from core.log import Log

log = Log("office")


def restored(reader: Reader) -> tuple[Directory, int]:
    """The directory at the ledger's head, and the position up to which it did not have to be folded; blocks."""
    snapshot = reader.snapshot(SNAPSHOT)
    directory = Directory() if snapshot is None else Directory.restored(snapshot[1])
    position = directory.position
    directory.apply(reader.landmarks(position))
    return directory, position


def save(appender: Appender, directory: Directory) -> None:
    """Keep it for the next start; blocks."""
    try:
        appender.save_snapshot(SNAPSHOT, directory.position, directory.snapshot())
    except FAULTS as error:
        log.say("snapshot.not_kept", error=error)
