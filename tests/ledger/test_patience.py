"""A database that a network does not reach any more is given up in seconds, unless its URL says otherwise."""

from __future__ import annotations

import psycopg
import pytest

from core.ledger.postgres.recorder import connect, patience
from core.limits import LEASE_S
from tests.postgres import drop, new_database


@pytest.mark.parametrize("more", [{}, {"keepalives_idle": "60", "tcp_user_timeout": "90000"}])
def test_a_connection_is_watched(more):
    """It counts as broken a few leases after the other side fell silent; what an operator says wins."""
    database = new_database()
    url = psycopg.conninfo.make_conninfo(database.url, **more)
    connection = connect(url, database.schema)
    said = connection.info.get_parameters()
    connection.close()
    drop(database)
    assert {name: said[name] for name in more} == more
    if not more:
        probing_s = int(said["keepalives_idle"]) + int(said["keepalives_interval"]) * int(said["keepalives_count"])
        assert LEASE_S < int(said["tcp_user_timeout"]) / 1_000 < 5 * LEASE_S
        assert probing_s < 5 * LEASE_S


def test_how_long_to_connect_may_be_said_too():
    """As everything else that libpq reads."""
    assert patience("postgresql://db.example/x?connect_timeout=60").keys() & {"connect_timeout"} == set()
    assert patience("postgresql://db.example/x")["connect_timeout"] == 5
