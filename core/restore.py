"""A copy of the ledger in a data directory that has none: copied, checked whole, and only then given its name."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from core.backup import check, key_beside
from core.clock import Clock
from core.data_directory import LEDGER_FILE, VIEWS_FILE, Lock
from core.errors import ConflictError, InvalidInputError, LedgerError, NotFoundError
from core.ledger.claims import CLAIMS_FILE
from core.ledger.files import BESIDE, put_in_place, remove
from core.ledger.key_check import check_key, is_sealed
from core.ledger.keys import KEY_FILE, MasterKey, given_key, write_key
from core.ledger.sqlite import SqliteRecorder


class Restored(msgspec.Struct, frozen=True):
    """`position`: the last one in the ledger. `key`: the master key is there, and opens the newest secret; False: it
    is still to be brought."""

    data: str
    position: int
    bytes: int
    tenants: int
    key: bool
    seconds: float


def restore(copy: Path, data: Path, key_file: Path | None, environment: Mapping[str, str], clock: Clock) -> Restored:
    """Put *copy* into *data*, with the master key of *key_file* if one is given; blocks.

    ConflictError when there is a ledger in *data*; InvalidInputError when a key lies beside *copy*, and none is named
    or there; LedgerError when the copy is not whole, or the key is another ledger's. Views of a ledger that was there
    before are removed.
    """
    started = clock.monotonic_ms()
    if not copy.is_file():
        raise NotFoundError(f"there is no file {copy}")
    for beside in (copy.with_name(copy.name + suffix) for suffix in ("-wal", "-journal")):
        if beside.exists() and beside.stat().st_size:
            # A ledger as somebody left it, and no backup: what is newest would be lost without a word.
            raise ConflictError(
                f"{copy} is not all of its ledger, {beside.name} belongs to it: make a copy of both with "
                f"`hookledger backup FILE --data {copy.parent}`, and restore that"
            )
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LedgerError(f"{data} cannot be used: {error.strerror}; name another --data") from error
    ledger = data / LEDGER_FILE
    with closing(Lock(data)):
        there = [name for suffix in ("", *BESIDE) if (data / (name := LEDGER_FILE + suffix)).exists()]
        if there:
            raise ConflictError(f"{data} has {' and '.join(there)}: move that away first, or name another --data")
        beside = key_beside(copy)
        if key_file is None and beside.exists() and given_key(environment, data / KEY_FILE) is None:
            raise InvalidInputError(f"the master key lies beside the backup: name it with --key {beside}")
        part = data / f".{LEDGER_FILE}.part"
        try:
            remove(part)
            part.touch(mode=0o600)
            shutil.copyfile(copy, part)
            position, tenants = check(part)
            has_key = _bring_key(part, data, key_file, environment)
            for derived in (VIEWS_FILE, CLAIMS_FILE):
                remove(data / derived)
            put_in_place(part, ledger)
        except (sqlite3.Error, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise LedgerError(f"{copy} cannot be restored to {data}: {why}") from error
        finally:
            remove(part)
    took_s = (clock.monotonic_ms() - started) / 1_000
    return Restored(str(data), position, ledger.stat().st_size, tenants, has_key, took_s)


def _bring_key(ledger: Path, data: Path, key_file: Path | None, environment: Mapping[str, str]) -> bool:
    """Whether the key that will be used is there; LedgerError where it opens no secret."""
    key = given_key({}, key_file) if key_file is not None else given_key(environment, data / KEY_FILE)
    if key is None and key_file is not None:
        raise NotFoundError(f"there is no file {key_file}")
    with closing(SqliteRecorder(ledger, create=False)) as recorder:
        if key is None:
            return not is_sealed(recorder)
        check_key(recorder, MasterKey(key))
    if key_file is not None:
        write_key(data / KEY_FILE, key)
        if given_key({}, data / KEY_FILE) != key:
            raise ConflictError(f"{data / KEY_FILE} is another key: move it away first")
    return True
