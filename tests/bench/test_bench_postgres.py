"""The bench of a ledger on PostgreSQL, run small."""

from __future__ import annotations

import psycopg

from delivery.bench.measure_postgres import insert_rates
from tests.postgres import server_url


def test_the_bench_on_postgresql_runs_small():
    """It says how fast 1, 2 and 4 processes write, beside COPY, and leaves nothing behind."""
    figures = insert_rates(server_url(), rounds=1, events=4_000)
    assert set(figures) == {"1", "2", "4"}
    for found in figures.values():
        assert found["append_per_s"] > 0
        assert found["copy_per_s"] > 0
        assert found["ratio"] > 0
    with psycopg.connect(server_url()) as connection:
        assert connection.execute("SELECT 1 FROM pg_namespace WHERE nspname ~ 'bench'").fetchone() is None
