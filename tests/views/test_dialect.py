"""What our views say in SQL is put into PostgreSQL's words, and nothing else is touched."""

from __future__ import annotations

import pytest

from core.history_table import TABLES
from core.ledger.postgres.dialect import among, inserting, tables, translated, updating
from delivery import outbox_table


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SELECT a FROM t WHERE b=? AND c%10 IN (?,?)", "SELECT a FROM t WHERE b=%s AND c%%10 IN (%s,%s)"),
        ("SELECT max(a), min(b), count(*) FROM t", "SELECT max(a), min(b), count(*) FROM t"),
        ("a BETWEEN max((b<<12), ?) AND min((b<<12)+4095, ?)",
         "a BETWEEN greatest((b<<12), %s) AND least((b<<12)+4095, %s)"),
        ("UPDATE t SET a=max(a+?, 0)", "UPDATE t SET a=greatest(a+%s, 0)"),
        ("t h INDEXED BY t_a WHERE h.number>? LIMIT 1", "t h WHERE (h.number+0)>%s LIMIT 1"),
        ("FROM t h NOT INDEXED WHERE", "FROM t h  WHERE"),
        ("instr(h.a, ?)>0", "pg_catalog.position(h.a, %s)>0"),
        ("CAST(a AS INTEGER)", "CAST(a AS bigint)"),
    ],
)  # fmt: skip
def test_words(ours, theirs):
    """Marks, hints, types and functions."""
    assert translated(ours).decode() == theirs


def test_indexes_end_with_the_key():
    """An index of a view leads to its rows in the order of their numbers, as SQLite's do by themselves."""
    made = [statement.decode() for statement in (*tables(TABLES), *tables(outbox_table.TABLES))]
    assert "CREATE INDEX IF NOT EXISTS history_2_webhook ON history_2 (webhook, (number+0))" in made
    assert "CREATE INDEX IF NOT EXISTS history_2_trouble ON history_2 (outcome, (number+0)) WHERE outcome<>22" in made
    assert "CREATE INDEX IF NOT EXISTS outbox_1_due ON outbox_1 (webhook, due, number)" in made
    assert not any(word in statement for word in ("INTEGER", "BLOB", "ROWID") for statement in made)


def test_many_rows_are_arrays():
    """However many rows there are, a statement has one mark for each column, and is the same statement."""
    assert inserting("t", ("bigint", "text"), " ON CONFLICT (a) DO UPDATE SET b=max(t.b, excluded.b)") == (
        b"INSERT INTO t SELECT unnest(%b::bigint[]), unnest(%b::text[])"
        b" ON CONFLICT (a) DO UPDATE SET b=greatest(t.b, excluded.b)"
    )
    assert updating("t", ("a", "b", "c"), ("bigint", "text", "bytea")) == (
        b"UPDATE t SET b=v.b, c=v.c FROM (SELECT unnest(%b::bigint[]) AS a, unnest(%b::text[]) AS b,"
        b" unnest(%b::bytea[]) AS c) AS v WHERE t.a=v.a"
    )
    assert among("DELETE FROM t WHERE a IN ({})") == b"DELETE FROM t WHERE a = ANY(%s::bigint[])"
