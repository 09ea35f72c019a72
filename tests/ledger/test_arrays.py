"""Columns as PostgreSQL takes them: it reads in them what was put there."""

from __future__ import annotations

from contextlib import closing

import pytest

from core.ledger.postgres.arrays import OF
from core.ledger.postgres.recorder import connect
from tests.postgres import server_url


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("int", [1, -1, 0, 2**31 - 1, -(2**31)]),
        ("bigint", [2**63 - 1, 5, -(2**63)]),
        ("bigint", [None, 5, None, -(2**63)]),
        ("bigint", [None]),
        ("bytea", [b"16 bytes, always", b"16 bytes, as here"[:16]]),
        ("bytea", [b"", b"a", b"\0" * 70_000, b"\xff"]),
        ("bytea", [b"a", None, b"bc"]),
        ("bytea", [None, None]),
        ("bytea", [b"", b""]),
        ("text", ["", "Delivery.Created/1", "für \U0001f600"]),
        ("text", [None, "", None]),
        *[(kind, []) for kind in ("int", "bigint", "bytea", "text")],
    ],
)
def test_the_server_reads_what_was_put_there(kind, values):
    """Of any type and length, equal or not, with and without nulls, in any number."""
    with closing(connect(server_url(), "public")) as connection:
        cursor = connection.cursor(binary=True)
        assert cursor.execute(f"SELECT %b::{kind}[]", (OF[kind](values),), prepare=True).fetchone() == (values,)
