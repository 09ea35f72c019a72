"""Follow a ledger by hand: in pieces of any size, with batches and restarts anywhere."""

from __future__ import annotations

from itertools import cycle

from hypothesis import strategies as st

from core.ledger.rebuilt import TABLE

CUTS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3), st.booleans()), min_size=1, max_size=6)
"""(events in a piece, pieces in a batch, whether the process begins anew after it), over and over."""


def follow_in_pieces(books, views, make, cuts, events_max=None):
    """Feed a view all of a ledger, or its first events, as a follower would."""
    events = books.reader.after(0)[:events_max]
    view = make()
    position = views.begin(view.name, view.tables)
    rest = events
    for size, pieces, restarts in cycle(cuts):
        if not rest:
            return
        for _ in range(pieces):
            piece, rest = rest[:size], rest[size:]
            if piece:
                view.take(piece, {})
                last = piece[-1].position
        write(views, view, position, last)
        position = last
        if restarts:
            view = make()


def write(views, view, previous, last):
    """One batch in one transaction."""
    batch = view.drain()
    views.write(view.name, previous, last, lambda connection: view.write(connection, batch))
    view.written(batch)


def rows_of(views, view):
    """All rows of a view's tables, by primary key."""
    tables = [found[1] for statement in view.tables if (found := TABLE.match(statement))]
    return {table: views.rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables}
