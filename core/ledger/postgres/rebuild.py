"""Make the views in a database anew from position 0, in tables that only this session sees; then their rows take the
place of the old ones, in one transaction.

Whoever does this leads meanwhile, so that nobody else writes views. Each new view is compared with the old one when it
comes to the position that the old one has seen. Who reads sees the old rows until the new ones are there; if this is
killed, nothing has happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from psycopg.sql import SQL, Composed, Identifier

from core.clock import Clock
from core.errors import ConflictError, LedgerBusyError
from core.ledger.follow import View
from core.ledger.postgres.leader import Leader
from core.ledger.postgres.recorder import Connection, connect, in_the_librarys_words
from core.ledger.postgres.views import PostgresViews, Session, configure_writing
from core.ledger.read import Reader
from core.ledger.rebuilt import SHOWN_MAX, Difference, Rebuilt, tables_of
from core.limits import FOLD_EVENTS_MAX, READ_EVENTS_MAX

OVERTAKEN = "another process leads by now: nothing was changed; stop it, and type this again"
SWAP_S = 3_600
"""How long the new rows may take to be put in place."""


def rebuild(reader: Reader, views: PostgresViews, leader: Leader, anew: Sequence[View], clock: Clock) -> Rebuilt:
    """Fold the whole ledger into new rows of all of *anew*; blocks. The views must be new, and are of no use after.

    LedgerBusyError when another process leads; ConflictError when one has begun to, because this one stood still."""
    started = clock.monotonic_ms()
    term = leader.claim()
    if term is None:
        raise LedgerBusyError("another process leads, and writes the views: stop it, and type this again")

    def renew() -> None:
        if not leader.renew(term):
            raise ConflictError(OVERTAKEN)

    try:
        with in_the_librarys_words(), closing(connect(views.url, views.schema, timeout_s=SWAP_S)) as connection:
            head, compared = _made(reader, connection, views.schema, anew, renew)
            _swap(connection, views, term, anew, head)
    finally:
        leader.release(term)
    return Rebuilt(head, clock.monotonic_ms() - started, compared)


def _made(
    reader: Reader, connection: Connection, schema: str, anew: Sequence[View], renew: Callable[[], None]
) -> tuple[int, dict[str, list[Difference]]]:
    """Make the new rows; the position they have seen, and how the old ones differ from them."""
    head = reader.head()
    seen: Mapping[str, int] = dict(connection.execute("SELECT view, position FROM tracking").fetchall())
    configure_writing(connection)
    # Tables are made, and found, among those of this session first.
    connection.execute(SQL("SET search_path TO pg_temp, {}").format(Identifier(schema)))
    writing = Session(connection, {})
    for view in anew:
        writing.make(view.tables)
    compared: dict[str, list[Difference]] = {}
    position = 0
    for stop in sorted({*(seen[view.name] for view in anew if view.name in seen), head}):
        _fold(reader, connection, writing, anew, position, stop, renew)
        position = stop
        for view in anew:
            if seen.get(view.name) == stop:
                found = [_compare(connection, schema, table) for table in tables_of(view)]
                compared[view.name] = [difference for difference in found if difference.rows]
                renew()
    return head, compared


def _swap(connection: Connection, views: PostgresViews, term: int, anew: Sequence[View], head: int) -> None:
    """Put the new rows in place of the old ones."""
    with connection.transaction():
        # Nobody begins a new term before this is over.
        if not Session(connection, {}).leads(views.ledger, term):
            raise ConflictError(OVERTAKEN)
        for view in anew:
            for table in tables_of(view):
                connection.execute(_sql("DELETE FROM {old}", views.schema, table))
                connection.execute(_sql("INSERT INTO {old} SELECT * FROM {new}", views.schema, table))
            connection.execute(
                "INSERT INTO tracking (view, position) VALUES (%s, %s)"
                " ON CONFLICT (view) DO UPDATE SET position = excluded.position",
                (view.name, head),
            )


def _fold(
    reader: Reader,
    connection: Connection,
    writing: Session,
    views: Sequence[View],
    position: int,
    stop: int,
    renew: Callable[[], None],
) -> None:
    """Bring new views from a position to another."""
    while position < stop:
        batch_stop = min(stop, position + FOLD_EVENTS_MAX)
        while position < batch_stop:
            events = reader.after(position, min(batch_stop - position, READ_EVENTS_MAX))
            for view in views:
                view.take(events, {})
            position = events[-1].position
        for view in views:
            batch = view.drain()
            with connection.transaction():
                view.write(writing, batch)
            view.written(batch)
        renew()


def _compare(connection: Connection, schema: str, table: str) -> Difference:
    """How many keys have rows that differ, or are in one table only, and the first few of them."""
    (key,) = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1", (f"pg_temp.{table}",)
    ).fetchone() or ("",)
    rows = connection.execute(
        _sql(
            "SELECT DISTINCT {key} FROM"
            " ((TABLE {new} EXCEPT TABLE {old}) UNION ALL (TABLE {old} EXCEPT TABLE {new})) AS d ORDER BY {key}",
            schema,
            table,
            key=Identifier(key),
        )
    ).fetchall()
    return Difference(table, len(rows), tuple(rows[:SHOWN_MAX]))


def _sql(sql: str, schema: str, table: str, **more: Identifier) -> Composed:
    return SQL(sql).format(old=Identifier(schema, table), new=Identifier("pg_temp", table), **more)
