"""The whole service in a simulated world: many lives, none of which breaks a promise, and bugs that are found."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.simulation import environment

HOURS, DAYS = 300, 10
"""So many lives that last at least an hour, and at least a day."""
LIVES = HOURS + DAYS
LIMIT_S = 180
"""For all of them, on the two processors of a machine that has nothing else to do."""
PLANTED = {
    "acknowledging-before-the-commit": "nothing acknowledged is lost",
    "a-window-off-by-one": "windows are kept",
    "a-retry-that-forgets-retry-after": "no attempt is early",
    "a-condition-not-judged": "those hear of it who should",
    "a-row-read-again-from-disk": "requests are recorded as they were",
    "a-redelivery-that-forgets-its-key": "what is sent again is made once",
    "a-status-that-history-forgets": "views are what the ledger says",
}
"""Bugs, and the promise that each breaks. The first three are the ones that every change must find."""
SEEDS_MAX = 60
"""A planted bug is found by one of so many seeds."""
FIRST = {"acknowledging-before-the-commit": 6, "a-condition-not-judged": 9, "a-redelivery-that-forgets-its-key": 14}
"""The first of them, where the seeds before take long to find nothing; 1 of the others."""


@pytest.fixture(scope="session", name="python")
def _python() -> Path:
    """A Python that can simulate; without one, all of this fails."""
    return environment.python()


def simulate(python: Path, *asked: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "tests.simulation", *asked],
        cwd=environment.ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(1_800)
def test_no_life_breaks_a_promise(python, tell):
    """300 lives of at least an hour and 10 of at least a day: every promise is kept, and it takes three minutes."""
    done = simulate(python, "--seeds", str(LIVES), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    tell(done.stdout.strip())
    counts = json.loads(done.stdout)
    assert counts["lives"] == LIVES
    assert counts["long"] == DAYS
    assert counts["shortest_s"] >= 3_600
    assert counts["shortest_day_s"] >= 86_400
    # Not the time it took: others may be at work on this machine.
    assert counts["cpu_s"] / 2 <= LIMIT_S


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("bug", "promise"), PLANTED.items(), ids=list(PLANTED))
def test_a_planted_bug_is_found(python, tell, bug, promise):
    """A bug in the code breaks the promise that one would expect, in a life that without it breaks none."""
    first = str(FIRST.get(bug, 1))
    asked = ("--plant", bug, "--until", promise, "--first", first, "--seeds", str(SEEDS_MAX), "--jobs", "1")
    found = simulate(python, *asked)
    assert found.returncode == 1, f"{bug} is not found\n{found.stdout}{found.stderr}"
    lines = found.stdout.splitlines()
    seed = [line.removeprefix("seed ").removesuffix(" fails:") for line in lines if line.endswith("fails:")][-1]
    broken = [line.strip()[:200] for line in lines if line.startswith(f"  {promise}: ")]
    assert broken, found.stdout
    tell(f"{bug} is found by seed {seed}: {broken[0]}")
    assert f"again: make simulate SEED={seed} PLANT={bug}" in found.stdout
    without = simulate(python, "--seed", seed)
    assert without.returncode == 0, without.stdout + without.stderr


@pytest.mark.timeout(300)
def test_the_same_seed_is_the_same_life(python):
    """Ledger, requests, log and schedule come out the same in another process, whatever the order of its sets and the
    addresses of its objects."""
    asked = ("--seeds", "4", "--first", "28", "--digest", "--jobs")
    one = simulate(python, *asked, "1", hash_seed="1")
    other = simulate(python, *asked, "2", "--stir", "50000", hash_seed="2")
    assert one.returncode == other.returncode == 0, one.stdout + other.stdout
    told = [sorted(line for line in done.stdout.splitlines() if line.startswith("seed ")) for done in (one, other)]
    assert len(told[0]) == 4
    assert told[0] == told[1]
