"""Where the simulation's Python comes from."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.simulation import environment


def test_a_python_that_was_named_is_the_only_one(tmp_path):
    """Whoever names a Python gets that one, and no other when it is too old, or is none."""
    named = {environment.VARIABLE: str(tmp_path / "python"), "PATH": "/usr/bin:/bin"}
    assert list(environment.candidates(named)) == [tmp_path / "python"]
    assert environment.chosen(named) is None


def test_without_any_python_it_says_what_to_do(monkeypatch, tmp_path):
    """Where none is found and none can be fetched, the tests fail and say how to get one."""
    assert environment.chosen({"PATH": str(tmp_path), "HOME": str(tmp_path)}) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SystemExit, match=r"needs Python 3\.12 or newer.*HOOKLEDGER_SIM_PYTHON="):
        environment.fetched()


@pytest.mark.timeout(600)
def test_it_is_new_enough_and_has_simloop():
    """What is found, or made, is a Python that can simulate."""
    code = "import sys, simloop; print(sys.version_info[:2] >= (3, 12))"
    done = subprocess.run([environment.python(), "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
