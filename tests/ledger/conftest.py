"""A ledger in each of its two forms, for what both must do."""

from __future__ import annotations

import pytest

from tests.builders import Books
from tests.postgres import drop, new_database, version


@pytest.fixture(name="books", params=["sqlite", "postgresql"])
def _books(request, tmp_path, tell):
    """An empty ledger: in a file, or in a database of a real server."""
    if request.param == "sqlite":
        with Books(tmp_path) as books:
            yield books
        return
    tell_version(tell)
    database = new_database()
    with Books(database) as books:
        yield books
    drop(database)


_TOLD = []


def tell_version(tell):
    """Once for each process that runs tests."""
    if not _TOLD:
        _TOLD.append(version())
        tell(f"PostgreSQL {version()}")
