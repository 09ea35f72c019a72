"""A whole ledger brought from one place to another, each a data directory or a database that nobody uses meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from core.clock import Clock
from core.data_directory import LEDGER_FILE, VIEWS_FILE, Lock
from core.errors import InvalidInputError, LedgerBusyError, LedgerError, NotFoundError
from core.ledger.claims import CLAIMS_FILE
from core.ledger.copy import OnCopied, Store, begun, compare, copy, newest_commit, settle
from core.ledger.copy_sqlite import SqliteStore
from core.ledger.fault import in_words
from core.ledger.files import BESIDE, put_in_place, remove
from core.ledger.key_check import check_key, check_value
from core.ledger.keys import KEY_FILE, MasterKey, given_key
from core.setting_kinds import DATABASE_SCHEMES

PART_FILE = f".{LEDGER_FILE}.copy"
"""A ledger in a data directory while it is being copied there."""


class Moved(msgspec.Struct, frozen=True):
    """A copy that was checked: `rows` by table, and a `hash` over all of them, are the same in both.

    `went_on_after`: the position up to which there was one already. `key`: whether the master key is where the target
    looks for it. `copy_s`, `check_s`: how long it took to write it, and to compare it.
    """

    source: str
    target: str
    went_on_after: int
    position: int
    rows: dict[str, int]
    hash: str
    key: Literal["opens it", "missing"]
    copied: int
    copy_s: float
    check_s: float


def move(
    source: str,
    target: str,
    schema: str,
    environment: Mapping[str, str],
    clock: Clock,
    random_bytes: Callable[[int], bytes],
    on_copied: OnCopied = lambda _last, _head: None,
) -> Moved:
    """Copy the ledger at *source* to *target*, each a directory or a URL; blocks.

    LedgerBusyError when a process holds one of them; NotFoundError when there is none at *source*; ConflictError when
    there is another one at *target*; LedgerError when a place cannot be read or written, a key is another ledger's,
    or the copy is not equal.
    """
    if _is_database(source) == _is_database(target) and (
        source == target if _is_database(source) else Path(source).resolve() == Path(target).resolve()
    ):
        raise InvalidInputError("both places are the same: name another one to copy to")
    started = clock.monotonic_ms()
    with ExitStack() as opened:
        ours = opened.enter_context(_source(source, schema))
        has_key, check = _try_keys(ours, (source, target), environment, random_bytes)
        theirs = opened.enter_context(_target(target, schema, ours))
        after = begun(ours, theirs)
        newest = newest_commit(ours)
        head: int = newest[0] if newest else 0
        theirs.begin(ours.identity)
        with ours.reading() as state:
            copy(state, theirs, after, head, on_copied)
            settle(state, theirs, check)
            copied_at = clock.monotonic_ms()
            rows, digest = compare(state, theirs, check)
        place = str(ours.path), str(theirs.path) if _is_database(target) else str(Path(target) / LEDGER_FILE)
        theirs.finish()
    copy_s, check_s = (copied_at - started) / 1_000, (clock.monotonic_ms() - copied_at) / 1_000
    return Moved(*place, after, head, rows, digest, "opens it" if has_key else "missing", head - after, copy_s, check_s)


def _is_database(place: str) -> bool:
    return place.startswith(DATABASE_SCHEMES)


def _try_keys(
    source: Store, places: tuple[str, str], environment: Mapping[str, str], random_bytes: Callable[[int], bytes]
) -> tuple[bool, bytes | None]:
    """Whether the target will find the key, and the check value it gets. LedgerError when a key that lies at one of the
    places is another ledger's: better now than when all is copied."""
    checks = source.rows("SELECT sealed FROM key_check")
    check: bytes | None = checks[0][0] if checks else None
    # A database has no file beside it: there, the key that is here is what its processes are to be given.
    found = {place: given_key(environment, Path(place) / KEY_FILE) for place in places if not _is_database(place)}
    keys = [MasterKey(raw) for raw in found.values() if raw is not None]
    for key in keys:
        check_key(source, key)
    if check is None and keys:
        check = check_value(keys[0], source.identity, random_bytes)
    has_key = found[places[1]] is not None if places[1] in found else bool(keys)
    return has_key, check


@contextmanager
def _source(place: str, schema: str) -> Iterator[Store]:
    if _is_database(place):
        with _database(place, schema, source=True) as store:
            yield store
        return
    data = Path(place)
    ledger = data / LEDGER_FILE
    if not ledger.exists():
        raise NotFoundError(f"there is no ledger in {data}: name the data directory, or a URL like postgresql://…")
    with _held(data), closing(SqliteStore(ledger, create=False)) as store:
        yield store


@contextmanager
def _target(place: str, schema: str, source: Store) -> Iterator[Store]:
    if _is_database(place):
        with _database(place, schema, source=False) as store:
            yield store
        return
    data = Path(place)
    part, ledger = data / PART_FILE, data / LEDGER_FILE
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _held(data):
            if ledger.exists():
                _take_up(ledger, part, source)
            with closing(SqliteStore(part, create=True)) as store:
                yield store
            for derived in (VIEWS_FILE, CLAIMS_FILE):
                remove(data / derived)
            put_in_place(part, ledger)
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(in_words(error, data)) from error


def _take_up(ledger: Path, part: Path, source: Store) -> None:
    """Go on with the ledger that is there, once it is known to be a beginning of the source."""
    with closing(SqliteStore(ledger, create=False)) as there:
        begun(source, there)
    left = [path for suffix in BESIDE if (path := ledger.with_name(ledger.name + suffix)).exists()]
    if left:
        raise LedgerBusyError(f"another program has {ledger} open: end that first")
    remove(part)
    ledger.replace(part)


@contextmanager
def _held(data: Path) -> Iterator[None]:
    try:
        lock = Lock(data)
    except LedgerBusyError as error:
        raise LedgerBusyError(f"{error}: a ledger is copied while nobody uses it") from None
    with closing(lock):
        yield


@contextmanager
def _database(url: str, schema: str, *, source: bool) -> Iterator[Store]:
    from core.ledger.postgres.copying import PostgresStore
    from core.ledger.postgres.database import check_place, connected

    check_place(url, schema)
    with connected(url, schema) as connection:
        yield PostgresStore(connection, url, schema, source=source)
