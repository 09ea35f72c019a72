"""The Dockerfile: what a linter says of it, and what its commands make where they are run without a container."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.conftest import beside
from tests.packaging.image import environment, health_check, said, stages
from tests.tidy.tree import ROOT

INSTALL_S = 300
OURS = str(Path(sys.executable).parent)
"""Where `python` is that which runs the tests, and `hookledger` that of the checkout."""


@pytest.fixture(scope="module", name="installed")
def _installed(tmp_path_factory):
    """The folder that the image gets, made by the very commands of its first stage, with other folders in them."""
    home = tmp_path_factory.mktemp("image")
    build, opt = home / "build", home / "opt"
    build.mkdir()
    for rest in said(stages()[0], "COPY"):
        *names, to = rest.split()
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, build / to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, build / to)
    path = os.pathsep.join((OURS, os.environ["PATH"]))
    for command in said(stages()[0], "RUN"):
        words = command.replace("/build", str(build)).replace("/opt/hookledger", str(opt / "hookledger"))
        subprocess.run(
            ["/bin/sh", "-ec", words], cwd=build, env={**os.environ, "PATH": path}, check=True, timeout=INSTALL_S
        )
    return opt / "hookledger"


def test_a_linter_finds_nothing():
    """hadolint reads it, and says nothing."""
    ran = subprocess.run([beside("hadolint"), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_only_what_is_copied_goes_to_the_build():
    """What .dockerignore lets through is what the first stage copies, so that no secret and no data get there."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {name for rest in said(stages()[0], "COPY") for name in rest.split()[:-1]}
    assert let == copied
    assert "*" in lines


def test_the_last_stage_has_what_was_installed_and_nothing_of_the_build():
    """Nobody is root in it, nothing is compiled, its data are a volume of their own."""
    last = stages()[-1]
    assert said(last, "COPY") == ["--from=build /opt/hookledger /opt/hookledger"]
    assert all("apt" not in command and "pip" not in command for command in said(last, "RUN"))
    (user,) = said(last, "USER")
    assert int(user.partition(":")[0]) > 0
    assert said(last, "VOLUME") == [environment(last)["HOOKLEDGER_DATA"]]
    assert said(last, "EXPOSE") == [environment(last)["HOOKLEDGER_PORT"]]


@pytest.mark.timeout(INSTALL_S)
def test_what_is_installed_runs(installed, tmp_path):
    """The command, our plugins, and what PostgreSQL and Kafka need; no pip, no tests."""
    environment = {"PATH": str(installed / "bin"), "HOME": str(tmp_path)}

    def ran(*words):
        ended = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert re.match(r"hookledger, version ", ran("hookledger", "--version"))
    assert "file.created" in ran("hookledger", "triggers")
    ran("python", "-c", "import psycopg, psycopg_pool, kafka, crc32c, lz4, snappy, zstandard; psycopg.pq.version()")
    ran("hookledger", "kafka", "init", "--help")
    packages = {path.name for path in installed.glob("lib/python3*/site-packages/*")}
    assert {"core", "delivery", "plugins", "kafka"} <= packages
    assert {"pip", "tests", "pytest"} & packages == set()


def test_the_health_check_asks_the_port_that_is_served(tmp_path):
    """It fails while nobody serves there, and does not once `serve` does."""
    said = {"PATH": OURS, "HOME": str(tmp_path), "HOOKLEDGER_DATA": str(tmp_path / "data")}
    said["PYTHONUNBUFFERED"] = "1"
    words = ["hookledger", "serve", "--port", "0"]
    with subprocess.Popen(words, cwd=tmp_path, env=said, stdout=subprocess.PIPE, text=True) as serving:
        first = serving.stdout.readline()
        said["HOOKLEDGER_PORT"] = first.strip().rpartition(":")[2]
        well = subprocess.run(health_check(stages()[-1]), env=said, capture_output=True, text=True, check=False)
        serving.terminate()
        serving.stdout.read()
    away = subprocess.run(health_check(stages()[-1]), env=said, capture_output=True, text=True, check=False)
    assert (well.returncode, serving.returncode) == (0, 0), well.stderr
    assert away.returncode != 0
