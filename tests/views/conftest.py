"""The house that followers stand on, and where views are kept."""

from __future__ import annotations

import pytest

from tests.views.house import House
from tests.views.stores import InDatabase, InFile


@pytest.fixture(name="store", params=[InFile, InDatabase], ids=["sqlite", "postgresql"], scope="module")
def _store(request):
    store = request.param()
    yield store
    store.close()


@pytest.fixture(name="house")
def _house(tmp_path):
    """With its views in a file."""
    house = House(tmp_path, InFile())
    yield house
    house.close()


@pytest.fixture(name="any_house")
def _any_house(tmp_path, store):
    """With its views in a file or in a database."""
    house = House(tmp_path, store)
    yield house
    house.close()
    store.clear(house.books.recorder)
