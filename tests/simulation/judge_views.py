"""Whether the views are what the ledger says: as they were seen on the way, in the end, and made anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from core.history_entries import page, standings
from core.history_question import Wanted
from core.ledger.views import Views
from core.rebuild import rebuild
from delivery.rebuilding import views_of
from tests.delivery.outbox.plain_fold import PlainFold
from tests.simulation.told import Told
from tests.simulation.world import World
from tests.views.plain_fold import plain_fold, totals

Broken = Iterator[tuple[str, float]]
MANY = 1_000_000


def views_are_right(world: World, told: Told) -> Broken:
    """Each state of the views that was seen is the fold of the ledger up to the position it has; the last, of all."""
    for at_s, path in [*world.home.copies, (world.loop.now_s, world.home.data / "views.sqlite")]:
        with closing(sqlite3.connect(path)) as seen:
            yield from ((how, at_s) for how in _outbox(seen, told))
    path = world.home.data / "views.sqlite"
    yield from ((how, world.loop.now_s) for how in _history(path, told))
    rebuilt = rebuild(told.reader, path, views_of(told.reader), world.wall)
    for view, differences in rebuilt.compared.items():
        if differences:
            yield f"{view}, made anew, is different: {differences}", world.loop.now_s
    if not rebuilt.compared:
        yield "there were no views to compare with those made anew", world.loop.now_s


def _outbox(seen: sqlite3.Connection, told: Told) -> Iterator[str]:
    (position,) = seen.execute("SELECT position FROM tracking WHERE view LIKE 'outbox/%'").fetchone()
    fold = PlainFold(recorded for recorded in told.events if recorded.position <= position)
    tables: dict[str, dict[int, tuple[Any, ...]]] = {
        "outbox_1": fold.rows,
        "outbox_webhooks_1": fold.lanes,
        "reactions_1": fold.reactions,
    }
    for table, expected in tables.items():
        rows = {key: tuple(row) for key, *row in seen.execute(f"SELECT * FROM {table}")}
        if rows != expected:
            keys = sorted(key for key in rows.keys() | expected.keys() if rows.get(key) != expected.get(key))
            some = [(key, rows.get(key), expected.get(key)) for key in keys[:3]]
            yield f"{table} at position {position} differs in {len(keys)} rows: {some}"


def _history(path: Path, told: Told) -> Iterator[str]:
    with closing(Views(path, told.recorder.identity)) as views:
        expected = plain_fold(told.events)
        found = {entry.number: _plain(entry) for entry in page(views, told.reader, Wanted(), MANY).entries}
        counted = standings(views, {known["webhook"] for known in expected.values()})
    for number in sorted(found.keys() | expected.keys()):
        if found.get(number) != expected.get(number):
            yield f"history of delivery {number} is {found.get(number)}, and should be {expected.get(number)}"
    if {webhook: standing.totals for webhook, standing in counted.items()} != totals(expected):
        yield f"totals are {counted}, and should be {totals(expected)}"


def _plain(entry: Any) -> dict[str, Any]:
    """An entry in the plain fold's words."""
    known = msgspec.structs.asdict(entry)
    known["requests"] = [msgspec.structs.astuple(request) for request in entry.requests]
    return known
