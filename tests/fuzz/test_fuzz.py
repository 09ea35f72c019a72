"""What comes from outside is read without a crash or a hang, and never taken where another reader refuses it.

More of the same: `make fuzz RUNS=1000000`.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest

from tests.fuzz.run import TARGETS
from tests.tidy.tree import ROOT

RUNS = {
    "answers": 50_000,
    "cloud_events": 150_000,
    "incoming": 100_000,
    "kafka_events": 100_000,
    "retry_after": 500_000,
    "upcaster": 250_000,
}
DONE = re.compile(r"^(\w+): (\d+) inputs tried, (\d+) taken, (.+)$", re.MULTILINE)
WITHIN_S = 110


def run(target, *words):
    line = [sys.executable, "-m", "tests.fuzz.run", target, *words]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False)


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_it(target, tell):
    """So many inputs, guided by coverage where that is to be had: each is refused, or is what another reader says."""
    ended = run(target, "--runs", str(RUNS[target]))
    assert ended.returncode == 0, ended.stderr[-3_000:]
    found = DONE.search(ended.stdout)
    assert found is not None, ended.stdout[-1_000:]
    name, tried, taken, how = found.groups()
    tell(found[0])
    assert (name, int(tried)) == (target, RUNS[target])
    assert int(taken) > 0.005 * int(tried), "nearly all was refused: what is taken is hardly looked at"
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        assert how == "guided by coverage"


def test_a_million_inputs():
    """All targets together try a million inputs."""
    assert set(RUNS) == set(TARGETS)
    assert sum(RUNS.values()) >= 1_000_000
