"""The directory as it was kept, and what was recorded since: how a process knows at its start who listens."""

from __future__ import annotations

from core.directory import SNAPSHOT, Directory
from core.errors import LedgerError
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


def as_recorded(reader: Reader, appender: Appender) -> tuple[Directory, int]:
    """The same, seen to be of the versions that the ledger has; LedgerError when it is not. Blocks."""
    directory, position = restored(reader)
    while (tenant := _unlike(directory, appender)) is not None:
        # Another process may have changed it since it was read.
        since = reader.landmarks(directory.position)
        if not since:
            raise LedgerError(f"the directory of tenant {tenant!r} does not fold to the version the ledger has")
        directory.apply(since)
    return directory, position


def _unlike(directory: Directory, appender: Appender) -> str | None:
    """A tenant of which the ledger has another version; None: there is none."""
    versions = ((tenant, known.version) for tenant, known in directory.tenants.items())
    return next((tenant for tenant, version in versions if version != appender.directory(tenant)), None)


def save(appender: Appender, directory: Directory) -> None:
    """Keep it for the next start; blocks."""
    try:
        appender.save_snapshot(SNAPSHOT, directory.position, directory.snapshot())
    except FAULTS as error:
        log.say("snapshot.not_kept", error=error)
