"""Many rows are written as if each were written alone, in a file and in a database."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.builders import Books

TABLE = "CREATE TABLE IF NOT EXISTS many_1 (number INTEGER PRIMARY KEY, at INTEGER, said TEXT, data BLOB)"
COUNTS = (1, 3, 64, 199)
"""One row, fewer and as many as one statement of SQLite takes, and more than that."""


@pytest.fixture(name="told")
def _told(tmp_path, store):
    """Writes to a table of an own, which has four columns, and says what is in it then."""
    with Books(tmp_path) as books:
        with closing(store.open(books.recorder)) as views:
            position = views.begin("many/1", (TABLE,))

            def told(fill):
                nonlocal position
                views.write("many/1", position, position + 1, fill)
                position += 1
                return views.rows("SELECT * FROM many_1 ORDER BY number")

            yield told
        store.clear(books.recorder)


def row(number):
    """A row in which nothing, much, or little is said."""
    return (number, None if number % 3 else -number, None if number % 2 else f"ü{number}", bytes(number % 5))


def flat(rows):
    return [value for row in rows for value in row]


@pytest.mark.parametrize("count", COUNTS)
def test_rows_come_change_and_go(told, count):
    """Each row is what was given for it, whatever is missing in it, and other rows stay as they were."""
    rows = {number: row(number) for number in range(count + 2)}
    assert told(lambda writing: writing.insert("many_1", 4, flat(rows.values()))) == list(rows.values())

    changed = {number: (number, "said anew", None) for number in range(1, count + 1)}
    rows |= {number: (number, rows[number][1], *changed[number][1:]) for number in changed}
    # Of one that is not there nothing is made.
    values = flat([*changed.values(), (-1, "said of nothing", None)])
    assert told(lambda writing: writing.update("many_1", ("number", "said", "data"), values)) == list(rows.values())

    gone = list(range(1, count + 1))
    found = []
    sql = "SELECT number, said FROM many_1 WHERE number IN ({})"
    told(lambda writing: found.extend(writing.among(sql, [*gone, -1])))
    assert sorted(found) == [(number, "said anew") for number in gone]
    left = told(lambda writing: writing.among("DELETE FROM many_1 WHERE number IN ({})", [*gone, -1]))
    assert left == [rows[0], rows[count + 1]]


@pytest.mark.parametrize("count", COUNTS)
def test_rows_that_are_there_become_what_is_said(told, count):
    """Of rows that are there already, and of those that are not, what was asked for is done."""
    rows = [row(number) for number in range(count)]
    told(lambda writing: writing.insert("many_1", 4, flat(rows[::2])))
    add = " ON CONFLICT (number) DO UPDATE SET at=max(many_1.number, excluded.number)+1, said=excluded.said"
    again = [(number, 5, "again", None) for number in range(count)]
    expected = [
        (number, 5, "again", None) if number % 2 else (number, number + 1, "again", rows[number][3])
        for number in range(count)
    ]
    assert told(lambda writing: writing.insert("many_1", 4, flat(again), add)) == expected


def test_nothing_changes_nothing(told):
    """No rows at all are no statement at all."""

    def fill(writing):
        writing.insert("many_1", 4, [])
        writing.update("many_1", ("number", "said"), [])
        assert writing.among("SELECT number FROM no_table WHERE number IN ({})", []) == []

    assert told(fill) == []
