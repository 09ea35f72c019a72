"""The bench over Kafka, run small."""

from __future__ import annotations

from contextlib import closing

import psycopg
from kafka import KafkaAdminClient

from delivery.bench.measure_kafka import ROLES, over_kafka
from delivery.bench.stage import Receiver
from tests.brokers.small import SmallBroker
from tests.postgres import server_url


async def test_the_bench_over_kafka_runs_small(tmp_path):
    """It says what each role costs and how long a delivery takes, and leaves no topic and no schema behind."""
    broker, receiver = SmallBroker(), await Receiver.started()
    broker.start()
    try:
        figures = await over_kafka(receiver, tmp_path, server_url(), broker.address, 10, 1_000, 1_000.0)
        with closing(KafkaAdminClient(bootstrap_servers=broker.address)) as admin:
            assert not [name for name in admin.list_topics() if "bench" in name]
    finally:
        await receiver.stop()
        broker.end()
    assert figures["kafka_per_s"] == figures["kafka_ratio_bare"] * 1_000 > 0
    assert {f"hookledger {role}" for role in ROLES} < figures["kafka_cpu_us_per_delivery"].keys()
    for latency in (figures["kafka_idle_latency_ms"], figures["kafka_half_load_latency_ms"]):
        assert 0 < latency["p50"] <= latency["p99"]
    with psycopg.connect(server_url()) as connection:
        assert connection.execute("SELECT 1 FROM pg_namespace WHERE nspname ~ 'bench'").fetchone() is None
