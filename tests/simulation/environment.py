"""A Python that can simulate: 3.12 or newer, with simloop. `python -m tests.simulation.environment` prints where it is.

The Python at hand, where it is new enough; else one of the machine; else one that uv fetches. It gets a virtual
environment of its own, `.venv-sim` of the checkout, made again when what it needs has changed.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".venv-sim"
OLDEST = (3, 12)
FETCHED = "3.13"
NEWEST_FIRST = ("3.14", "3.13", "3.12")
"""Versions that simloop knows."""
VARIABLE = "HOOKLEDGER_SIM_PYTHON"
NONE_FOUND = (
    "the simulation needs Python 3.12 or newer, and none was found or could be fetched: install one"
    f" (apt install python3.12-venv, pyenv install {FETCHED}, uv python install {FETCHED}),"
    f" or say where one is: {VARIABLE}=/path/to/python3"
)


def python() -> Path:
    """Where a Python with simloop is; made if it has to be. SystemExit with what to do when it cannot be."""
    if sys.version_info >= OLDEST and importlib.util.find_spec("simloop") is not None:
        return Path(sys.executable)
    stamp, made = PLACE / ".installed", PLACE / "bin" / "python"
    with (ROOT / ".venv-sim.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.stat().st_mtime < (ROOT / "setup.cfg").stat().st_mtime:
            _run(str(chosen(os.environ) or fetched()), "-m", "venv", "--clear", str(PLACE))
            install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", ".[simulate]")
            _run(str(made), *install)
            stamp.touch()
    return made


def chosen(environment: Mapping[str, str]) -> Path | None:
    """The first Python of this machine that is new enough, or None."""
    return next((found for found in candidates(environment) if _is_new_enough(found)), None)


def candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where a newer Python may be: the one that was named, those on the PATH, those of pyenv."""
    if named := environment.get(VARIABLE):
        yield Path(named)
        return
    for version in NEWEST_FIRST:
        if on_path := shutil.which(f"python{version}", path=environment.get("PATH", "")):
            yield Path(on_path)
    pyenv = Path(environment.get("PYENV_ROOT") or Path(environment.get("HOME", "/")) / ".pyenv")
    for version in NEWEST_FIRST:
        yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)


def _is_new_enough(interpreter: Path) -> bool:
    """Whether it runs, can make virtual environments, and is new enough; a shim of pyenv may do none of these."""
    code = f"import ensurepip, sqlite3, ssl, sys, venv; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([interpreter, "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def fetched() -> Path:
    """One that uv fetches; SystemExit when there is no way to it."""
    uv = shutil.which("uv")
    command = [uv] if uv else [sys.executable, "-m", "uv"]
    try:
        if uv is None:
            _run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv")
        _run(*command, "python", "install", "--quiet", FETCHED)
        found = subprocess.run([*command, "python", "find", FETCHED], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit(NONE_FOUND) from None
    return Path(found.stdout.strip())


def _run(*command: str) -> None:
    """Its output is for people, and not the answer."""
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    print(python())
