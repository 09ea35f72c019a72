"""What is wrong with a file of ours, in one line that says what to do; pure."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from eventsourcing import persistence
from eventsourcing.persistence import PersistenceError

from core.errors import HookledgerError

FAULTS = (sqlite3.Error, PersistenceError)
"""What a ledger raises that cannot be read or written just now: SQLite's, and what the library makes of others'."""

PASSING = (sqlite3.OperationalError, persistence.OperationalError, persistence.InterfaceError)
"""Those of them that may be over when it is tried again."""

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

WHAT_TO_DO = {
    sqlite3.SQLITE_FULL: "its disk is full: make room, and it goes on by itself",
    sqlite3.SQLITE_IOERR: "its disk does not give or take what it should: look into the system's log, at quotas and"
    " at limits of file sizes; when they are mended it goes on by itself",
    sqlite3.SQLITE_READONLY: "it may not be written: let the user of this process write it, and its directory",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: see that it is a file, and that the user of this process may write"
    " it, and its directory",
    sqlite3.SQLITE_BUSY: "another program has locked it: end that, and it goes on by itself",
    sqlite3.SQLITE_LOCKED: "another program has locked it: end that, and it goes on by itself",
    sqlite3.SQLITE_CORRUPT: "it is damaged: stop hookledger, move it away, and `hookledger restore` the newest backup",
    sqlite3.SQLITE_NOTADB: "it is damaged: stop hookledger, move it away, and `hookledger restore` the newest backup",
}


def is_damage(error: BaseException) -> bool:
    """Whether a file is not what was once written: waiting does not help."""
    return _code(error) in DAMAGED


def in_words(error: BaseException, path: Path | str) -> str:
    """The line for *error*, that of SQLite or of the system, about *path*."""
    if isinstance(error, OSError):
        return f"{path}: {error.strerror or error}"
    # What PostgreSQL says may have several lines.
    said, todo = " ".join(str(error).split()), WHAT_TO_DO.get(_code(error))
    return f"{path}: {said}" if todo is None else f"{path}: {todo} ({said})"


def is_foreseen(error: BaseException) -> bool:
    """Whether it is one of ours, of the ledger's or of the system's, and no bug."""
    return isinstance(error, (HookledgerError, *FAULTS, OSError))


def in_one_line(error: BaseException, path: Path | str) -> str:
    """The line for whatever went wrong with *path*."""
    if isinstance(error, HookledgerError):
        return str(error)
    return in_words(error, path) if is_foreseen(error) else f"{type(error).__name__}: {error}"


def rolled_back(path: Path, seen: int, head: int) -> str:
    """The line for a ledger that has lost what *path* was made from."""
    return (
        f"the ledger ends at position {head}, and {path} has seen {seen}: what was recorded last is missing. "
        "If ledger.sqlite-wal was left behind, bring it back; if the ledger is an older copy on purpose, "
        f"remove {path.name}"
    )


def _code(error: BaseException) -> int:
    """SQLite's primary code; 0 for everything else."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
