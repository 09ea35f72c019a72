"""The house that followers stand on."""

from __future__ import annotations

import pytest

from tests.views.house import House


@pytest.fixture(name="house")
def _house(tmp_path):
    house = House(tmp_path)
    yield house
    house.close()
