"""Make the views of a data directory anew, from position 0, in a file beside the old one that then takes its place.

Nobody may have the views open meanwhile. On the way each new view is compared with the old one, when it comes to the
position that the old one has seen. Whenever this is killed, what stands in the old place is the old file or the new
one, whole: the new one is on disk before it moves there, and the old one has no log beside it by then.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from core.clock import Clock
from core.errors import LedgerBusyError
from core.ledger.files import BESIDE, put_in_place, remove
from core.ledger.follow import View
from core.ledger.read import Reader
from core.ledger.rebuilt import SHOWN_MAX, Difference, Rebuilt, tables_of
from core.ledger.view_store import FED
from core.ledger.views import OWNER, TRACKING, FileWriting
from core.limits import FOLD_EVENTS_MAX, READ_EVENTS_MAX

INDEX = "CREATE INDEX "
"""An index that only makes questions faster is made when all rows are there."""

CACHE_KIB = 64 * 1024
"""Nobody else needs the memory while views are made anew."""


def rebuild(reader: Reader, path: Path, views: Sequence[View], clock: Clock) -> Rebuilt:
    """Fold the whole ledger into new rows of all *views*; blocks. The views must be new, and are of no use after."""
    started = clock.monotonic_ms()
    ledger_id = reader.recorder.identity
    head = reader.head()
    seen = {name: position for name, position in _seen(path, ledger_id).items() if position <= head}
    fresh = path.with_name(f"{path.name}.new")
    remove(fresh)
    collecting = gc.isenabled()
    # Everything that is decoded here lives for a moment, and is in no cycle.
    gc.disable()
    try:
        with closing(_create(fresh, ledger_id, views)) as connection:
            fed = [(name, position) for name, position in seen.items() if name.startswith(FED)]
            connection.executemany("INSERT INTO tracking VALUES (?, ?)", fed)
            compared = _fill(reader, connection, views, head, seen, path, fresh)
            for statement in _indexes(views):
                connection.execute(statement)
        _settle(path)
        put_in_place(fresh, path)
    finally:
        if collecting:
            gc.enable()
        remove(fresh)
    return Rebuilt(head, clock.monotonic_ms() - started, compared)


def _fill(
    reader: Reader,
    connection: sqlite3.Connection,
    views: Sequence[View],
    head: int,
    seen: Mapping[str, int],
    old: Path,
    new: Path,
) -> dict[str, Sequence[Difference]]:
    """Bring new views to the ledger's head, and compare each at the position to which the old one came."""
    compared: dict[str, Sequence[Difference]] = {}
    position = 0
    for stop in sorted({*(seen[view.name] for view in views if view.name in seen), head}):
        _fold(reader, connection, views, position, stop)
        position = stop
        for view in views:
            if seen.get(view.name) == stop:
                with suppress(sqlite3.DatabaseError):
                    compared[view.name] = compare(old, new, view)
    return compared


def make(reader: Reader, path: Path, views: Mapping[View, int]) -> None:
    """A new file at *path* with the rows each of *views* has when it has seen up to its position; blocks. The views
    must be new, and are of no use after."""
    with closing(_create(path, reader.recorder.identity, list(views))) as connection:
        position = 0
        for stop in sorted(set(views.values())):
            _fold(reader, connection, [view for view, last in views.items() if last >= stop], position, stop)
            position = stop
        for statement in _indexes(views):
            connection.execute(statement)


def compare(old: Path, new: Path, view: View) -> list[Difference]:
    """How the rows of a view differ in two files that have seen the same. ValueError when they have not."""
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS old", (str(old),))
        positions = [
            connection.execute(f"SELECT position FROM {file}.tracking WHERE view=?", (view.name,)).fetchone()
            for file in ("old", "main")
        ]
        if positions[0] != positions[1]:
            raise ValueError(f"{view.name} has seen {positions[0]} in {old.name}, and {positions[1]} in {new.name}")
        found = [_compare_table(connection, table) for table in tables_of(view)]
        return [difference for difference in found if difference.rows]


def _compare_table(connection: sqlite3.Connection, table: str) -> Difference:
    columns = connection.execute(f"PRAGMA main.table_info({table})").fetchall()
    names = [column[1] for column in columns]
    keys = [column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5]]
    same_key = " AND ".join(f"a.{key}=b.{key}" for key in keys)
    listed = ", ".join(f"a.{key}" for key in keys)
    differs = " OR ".join(f"a.{name} IS NOT b.{name}" for name in names)
    rows, keys_found = _count(
        connection.execute(f"SELECT {listed} FROM main.{table} a LEFT JOIN old.{table} b ON {same_key} WHERE {differs}")
    )
    counts = [connection.execute(f"SELECT count(*) FROM {file}.{table}").fetchone() for file in ("old", "main")]
    # As many rows in both, and each new one has its like: then there is no old one without.
    if rows or counts[0] != counts[1]:
        more, more_keys = _count(
            connection.execute(
                f"SELECT {listed} FROM old.{table} a WHERE NOT EXISTS (SELECT 1 FROM main.{table} b WHERE {same_key})"
            )
        )
        rows, keys_found = rows + more, keys_found + more_keys
    return Difference(table, rows, tuple(keys_found[:SHOWN_MAX]))


def _count(cursor: sqlite3.Cursor) -> tuple[int, list[tuple[object, ...]]]:
    """How many rows, and the first few of them."""
    first = cursor.fetchmany(SHOWN_MAX)
    return len(first) + sum(1 for _ in cursor), first


def _fold(reader: Reader, connection: sqlite3.Connection, views: Sequence[View], position: int, stop: int) -> None:
    """Bring new views from a position to another."""
    connection.execute("BEGIN")
    writing = FileWriting(connection)
    while position < stop:
        batch_stop = min(stop, position + FOLD_EVENTS_MAX)
        while position < batch_stop:
            events = reader.after(position, min(batch_stop - position, READ_EVENTS_MAX))
            for view in views:
                view.take(events, {})
            position = events[-1].position
        for view in views:
            batch = view.drain()
            view.write(writing, batch)
            view.written(batch)
    connection.executemany("UPDATE tracking SET position=? WHERE view=?", [(stop, view.name) for view in views])
    connection.execute("COMMIT")


def _create(path: Path, ledger_id: bytes, views: Sequence[View]) -> sqlite3.Connection:
    """A file that is lost if anything happens, and quick to write; only its owner may read it."""
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=128)
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    connection.execute(TRACKING)
    connection.execute(OWNER)
    connection.execute("INSERT INTO owner VALUES (?)", (ledger_id,))
    deferred = _indexes(views)
    for view in views:
        for statement in view.tables:
            if statement not in deferred:
                connection.execute(statement)
        connection.execute("INSERT INTO tracking VALUES (?, 0)", (view.name,))
    return connection


def _indexes(views: Iterable[View]) -> list[str]:
    return [statement for view in views for statement in view.tables if statement.startswith(INDEX)]


def _seen(path: Path, ledger_id: bytes) -> dict[str, int]:
    """What the views in a file have seen; nothing if the file is missing, damaged, or another ledger's."""
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        try:
            if connection.execute("SELECT ledger FROM owner").fetchone() != (ledger_id,):
                return {}
            return dict(connection.execute("SELECT view, position FROM tracking").fetchall())
        except sqlite3.DatabaseError:
            return {}


def _settle(path: Path) -> None:
    """See that the old file is whole without its log; only then may another file take its name."""
    if path.exists():
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            try:
                (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                # It is of no use to anybody, and what lies beside it must not outlive it.
                path.unlink()
                is_busy = False
        if is_busy:
            raise LedgerBusyError(f"somebody has {path} open")
    for suffix in BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
