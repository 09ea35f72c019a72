"""`hookledger rebuild`: throw the views away, make them again from the ledger, and say whether they were right."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path

import click
import msgspec

from core.clock import SystemClock
from core.data_directory import LEDGER_FILE, VIEWS_FILE, Lock
from core.epilog import epilog
from core.errors import NotFoundError
from core.history import History
from core.ledger.follow import View
from core.ledger.opening import open_database
from core.ledger.read import Reader
from core.ledger.rebuilt import Difference, Rebuilt
from core.ledger.sqlite import SqliteRecorder
from core.ledger.store import Database, Place
from core.model.topics import Codec
from core.options import json_option, place_option
from core.printing import print_facts
from core.rebuild import rebuild as make_anew
from core.snapshots import restored
from delivery.carrier import closed_outbox


class RebuiltView(msgspec.Struct, frozen=True):
    """`equal` None: there was no old one to compare with, or it could not be read."""

    view: str
    equal: bool | None
    differences: tuple[Difference, ...]


class RebuildReport(msgspec.Struct, frozen=True):
    """`equal`: all views that could be compared had the rows they should have had."""

    events: int
    seconds: float
    equal: bool
    views: tuple[RebuiltView, ...]


@click.command(epilog=epilog("hookledger rebuild", then=["hookledger serve"]))
@place_option
@json_option
def rebuild(place: Place, as_json: bool) -> None:
    """Make all views anew from the ledger. `serve` must be stopped; on a database, each that carries deliveries."""
    report = _rebuild(place.data) if place.database is None else _rebuild_shared(place.database)
    if as_json:
        click.echo(msgspec.json.encode(report))
        return
    print_facts(
        [
            ("events", str(report.events)),
            ("seconds", f"{report.seconds:.2f}"),
            *((one.view, _in_words(one)) for one in report.views),
        ]
    )


def _rebuild(data: Path) -> RebuildReport:
    """Nobody else may have the data directory meanwhile: the lock says so, or the LedgerBusyError."""
    if not (data / LEDGER_FILE).exists():
        raise NotFoundError(f"there is no ledger in {data}: say where it is with --data")
    with closing(Lock(data)), closing(SqliteRecorder(data / LEDGER_FILE)) as recorder:
        reader = Reader(recorder, Codec())
        views = views_of(reader)
        rebuilt = make_anew(reader, data / VIEWS_FILE, views, SystemClock())
    return _report(rebuilt, views)


def _rebuild_shared(database: Database) -> RebuildReport:
    """On a database nobody may lead meanwhile but this process."""
    from core.ledger.postgres.rebuild import rebuild as make_anew_shared  # noqa: PLC0415 -- an extra

    codec = Codec()
    with ExitStack() as opened:
        shared = open_database(opened, database, codec, os.urandom(16))
        reader = Reader(shared.recorder, codec)
        views = views_of(reader)
        rebuilt = make_anew_shared(reader, shared.views, shared.leader, views, SystemClock())
    return _report(rebuilt, views)


def views_of(reader: Reader) -> list[View]:
    """All views that `serve` follows, new and empty; this outbox hands nothing out."""
    return [History(reader), closed_outbox(restored(reader)[0])]


def _report(rebuilt: Rebuilt, views: list[View]) -> RebuildReport:
    told = []
    for view in views:
        differences = rebuilt.compared.get(view.name)
        told.append(RebuiltView(view.name, None if differences is None else not differences, tuple(differences or ())))
    equal = all(one.equal is not False for one in told)
    return RebuildReport(rebuilt.events, rebuilt.took_ms / 1_000, equal, tuple(told))


def _in_words(one: RebuiltView) -> str:
    if one.equal is None:
        return "made; there was none to compare it with"
    if one.equal:
        return "made; its rows equal the old ones"
    found = [f"{difference.table}: {difference.rows} rows, {_keys(difference)}" for difference in one.differences]
    return f"made; the old one was wrong: {'; '.join(found)}"


def _keys(difference: Difference) -> str:
    shown = ", ".join("/".join(map(str, key)) for key in difference.keys)
    return shown if len(difference.keys) == difference.rows else f"{shown}, …"
