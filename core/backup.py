"""A copy of the ledger, made while it is written to, and checked whole before it gets its name.

It is one state of the ledger: the copy reads with a transaction of its own, which no writer waits for. Views and the
claims' index are not copied: they are made from the ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import msgspec

from core.clock import Clock
from core.directory import Directory
from core.errors import ConflictError, LedgerError, NotFoundError
from core.ledger.files import put_in_place, remove
from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.ledger.unit import CATALOGUE, ZERO_VERSION, Body
from core.model.delivery import AttemptFailed, Delivered, LateAttempt
from core.model.event import Event
from core.model.portal_event import Proof, Received
from core.model.topics import Codec

COPY_PAGES = 1_024
"""Copied at once, 4 KiB each: between two of these the copy can be stopped."""

OnCopied = Callable[[int, int], None]
"""Called now and then with how many of how many pages are copied."""


class Copy(msgspec.Struct, frozen=True):
    """A copy that was checked. `position`: the last one in it; `tenants`: whose directories were folded again."""

    file: str
    position: int
    bytes: int
    tenants: int
    seconds: float


def copy_ledger(ledger: Path, target: Path, clock: Clock, on_copied: OnCopied = lambda _done, _all: None) -> Copy:
    """Copy a ledger file to *target*, which must not be there yet; blocks.

    ConflictError when *target* is there; LedgerError when the ledger cannot be read, or the copy is not whole. Whenever
    this is killed, *target* is not there or whole.
    """
    started = clock.monotonic_ms()
    if target.exists():
        raise ConflictError(f"{target} is there already: name another file")
    part = target.with_name(f".{target.name}.part")
    try:
        remove(part)
        _copy(ledger, part, on_copied)
        position, tenants = check(part)
        _settle(part)
        put_in_place(part, target)
    except (sqlite3.Error, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise LedgerError(f"{ledger} cannot be copied to {target}: {why}") from error
    finally:
        remove(part)
    return Copy(str(target), position, target.stat().st_size, tenants, (clock.monotonic_ms() - started) / 1_000)


def check_place(directory: Path) -> None:
    """NotFoundError when nothing can be put there, because it is no directory."""
    if directory.is_dir():
        return
    if directory.exists():
        raise NotFoundError(f"{directory} is a file and no directory: name another place")
    raise NotFoundError(f"there is no directory {directory}: make it, or name another place")


def key_beside(copy: Path) -> Path:
    """Where the master key lies that is copied with the ledger."""
    return copy.with_name(f"{copy.name}.key")


def _copy(ledger: Path, part: Path, on_copied: OnCopied) -> None:
    part.touch(mode=0o600)
    with (
        closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as source,
        closing(sqlite3.connect(part, isolation_level=None)) as copy,
    ):
        copy.execute("PRAGMA journal_mode=OFF")
        copy.execute("PRAGMA synchronous=OFF")
        # A copy in steps begins again whenever somebody has written in between, unless it holds on to one state.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(copy, pages=COPY_PAGES, progress=lambda _, left, pages: on_copied(pages - left, pages))


def check(ledger: Path) -> tuple[int, int]:
    """Whether a ledger file is whole: its pages and indexes, that no position is missing, that every event can be read
    and every body is what its event has the proof of, that every directory folds to the version it has. The last
    position, and how many directories that were. LedgerError or sqlite3.Error if not.
    """
    with closing(SqliteRecorder(ledger, create=False)) as recorder:
        ((found,),) = recorder.rows("PRAGMA integrity_check(1)")
        if found != "ok":
            raise LedgerError(f"{ledger} is damaged: {found}")
        reader = Reader(recorder, Codec())
        head = reader.head()
        ((count, last),) = recorder.rows("SELECT count(*), max(position) FROM events")
        if (count, last or 0) != (head, head):
            raise LedgerError(f"{ledger} is not whole: {count} events up to {last}, and commits up to {head}")
        _check_each(reader)
        directory = Directory()
        directory.apply(reader.landmarks())
        versions = {name: tenant.version for name, tenant in directory.tenants.items()}
        if directory.catalogue != ZERO_VERSION:
            versions[CATALOGUE] = directory.catalogue
        known: dict[str, bytes] = dict(recorder.rows("SELECT tenant, version FROM directories"))
        if versions != known:
            differs = sorted(name for name in {*versions, *known} if versions.get(name) != known.get(name))
            raise LedgerError(
                f"{ledger} is not whole: the directories of tenants {differs} do not fold to what they were"
            )
    return head, len(directory.tenants)


def _check_each(reader: Reader) -> None:
    """SQLite has no checksums: a state or a body that was overwritten is in no index, and its page looks well."""
    position = 0
    while events := reader.after(position):
        bodies = reader.bodies([recorded.position for recorded in events])
        for position, _, _, event in events:
            body = bodies.get(position)
            if body is not None and not _is_proven(event, body):
                raise LedgerError(f"{reader.recorder.path} is damaged: the body beside event {position} is another")


def _is_proven(event: Event, body: Body) -> bool:
    match event:
        case Received():
            if body.payload is not None and (event.payload is None or not _is(event.payload, body.salt, body.payload)):
                return False
            return _is(event.data, body.salt, body.data)
        case Delivered() | AttemptFailed() | LateAttempt():
            answer = event.attempt.answer
            return answer is not None and _is(answer, body.salt, body.data)
    return False


def _is(proof: Proof, salt: bytes, body: bytes) -> bool:
    return (len(body), sha256(salt + body).digest()) == (proof.length, proof.hash)


def _settle(part: Path) -> None:
    """One file, with nothing beside it."""
    with closing(sqlite3.connect(part, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
