"""A service that has nothing to do does nothing."""

from __future__ import annotations

import json
import subprocess

from tests.simulation import environment

LOOKS_AN_HOUR = 60
"""Whoever waits for a time looks at the clock once a minute: somebody may have set it."""


def test_an_idle_service_sleeps():
    """Without an open delivery nothing runs at all; with one that is due in hours, one look a minute."""
    python = environment.python()
    counted = subprocess.check_output([python, "-m", "tests.simulation.idle"], cwd=environment.ROOT)
    assert json.loads(counted) == {"idle": 0, "waiting": LOOKS_AN_HOUR}
