"""Each test has a data directory, and a database without a ledger; no process outlives it."""

from __future__ import annotations

import os
from itertools import count

import pytest

from tests.end_to_end.conftest import _place, _receiver  # noqa: F401 -- fixtures: pytest finds them by being here
from tests.postgres import Database, drop, server_url

_NUMBERS = count(1)


@pytest.fixture(name="schema")
def _schema():
    """A schema that is not there yet."""
    database = Database(server_url(), f"moving_{os.getpid()}_{next(_NUMBERS)}")
    yield database
    drop(database)
