"""docs/operating.md knows every line that says what is wrong with a file."""

from __future__ import annotations

import pytest

from core.ledger.fault import WHAT_TO_DO, rolled_back
from tests.tidy.tree import ROOT

PAGE = " ".join((ROOT / "docs" / "operating.md").read_text(encoding="utf-8").split())
LINES = {line.partition(":")[0] for line in WHAT_TO_DO.values()}


@pytest.mark.parametrize("line", sorted(LINES))
def test_every_fault_of_a_file_is_in_the_table(line):
    """Whoever looks for the words of an error finds what they mean, and what to do."""
    assert f"`{line}`" in PAGE


def test_a_ledger_that_lost_its_end_is_in_the_table():
    """The same for what two files together say."""
    said = rolled_back(ROOT / "views.sqlite", 7, 3)
    assert "what was recorded last is missing" in said
    assert "`what was recorded last is missing`" in PAGE
