"""A ledger in each of its two forms, for what both must do."""

from __future__ import annotations

import pytest

from tests.builders import Books
from tests.postgres import drop, new_database, version


@pytest.fixture(name="books", params=["sqlite", "postgresql"])
def _books(request, tmp_path, record_property):
    """An empty ledger: in a file, or in a database of a real server."""
    if request.param == "sqlite":
        with Books(tmp_path) as books:
            yield books
        return
    record_property("database", f"PostgreSQL {version()}")
    database = new_database()
    with Books(database) as books:
        yield books
    drop(database)
