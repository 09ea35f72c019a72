"""The data directory of a process: its files by name, the lock on it, and whether all is there that should be."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from core.errors import LedgerBusyError, LedgerError
from core.ledger.fault import FAULTS, in_words
from core.ledger.keys import KEY_FILE

LEDGER_FILE = "ledger.sqlite"
VIEWS_FILE = "views.sqlite"
LOCK_FILE = "lock"

Opened = TypeVar("Opened")


class Lock:
    """The lock on a data directory: held by one process, given up by the kernel when that dies."""

    def __init__(self, data: Path) -> None:
        self.path = data / LOCK_FILE
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LedgerError(
                f"{self.path} cannot be opened: {error.strerror}; let the user of this process write {data}, "
                "or name another --data"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 20, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise LedgerBusyError(
                f"another process (pid {holder or 'unknown'}) holds {data}: stop it, or use another --data"
            ) from None
        with suppress(OSError):  # on a full disk: then it says a dead one's, or nobody's, and is held all the same
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        os.close(self._file)


def prepare(data: Path, *, has_ledger: bool) -> None:
    """Make the directory where there is none; LedgerError where that cannot be, or where a ledger has been lost."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        left = [name for name in (KEY_FILE, VIEWS_FILE) if (data / name).exists()]
        ledger = data / LEDGER_FILE
        is_lost = has_ledger and left and (not ledger.exists() or (ledger.is_file() and not ledger.stat().st_size))
    except OSError as error:
        raise LedgerError(f"{data} cannot be used: {error.strerror}; name another --data") from error
    if is_lost:
        raise LedgerError(
            f"{data} has {' and '.join(left)} but no {LEDGER_FILE}, or an empty one: `hookledger restore` the newest "
            "backup, or name another --data"
        )


def opened_or_told(path: Path | str, open_: Callable[[], Opened]) -> Opened:
    """What *open_* opens; LedgerError, with what to do, where the file does not open."""
    try:
        return open_()
    except (*FAULTS, OSError) as error:
        raise LedgerError(in_words(error, path)) from error
