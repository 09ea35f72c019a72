"""Each test has a data directory, and a database without a ledger; no process outlives it."""

from __future__ import annotations

import os
from itertools import count

import psycopg
import pytest

from core.ledger.postgres.migrate import migrate
from tests.end_to_end.conftest import _place, _receiver  # noqa: F401 -- fixtures: pytest finds them by being here
from tests.moving.places import KEYS, a_ledger
from tests.postgres import Database, drop, server_url

_NUMBERS = count(1)


@pytest.fixture(name="schema")
def _schema():
    """A schema that is not there yet."""
    database = Database(server_url(), f"moving_{os.getpid()}_{next(_NUMBERS)}")
    yield database
    drop(database)


@pytest.fixture(name="database")
def _database(schema):
    """A ledger that was migrated, and has nothing in it."""
    with psycopg.connect(schema.url, autocommit=True) as connection:
        migrate(connection, schema.schema)
    return schema


@pytest.fixture(name="data")
def _data(tmp_path):
    """A directory, with a key, and a ledger in it."""
    data = tmp_path / "old"
    data.mkdir()
    a_ledger(data)
    (data / "master.key").write_text(KEYS[0].hex())
    (data / "master.key").chmod(0o600)
    return data
