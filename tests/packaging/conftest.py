"""compose.yaml as `docker compose` itself reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.apache import missing
from tests.tidy.tree import ROOT

collect_ignore = ["test_rehearsal.py"] if missing() else []
"""What needs Apache Kafka; tests/brokers sees to it that CI does not go without."""

KEY = "5e" * 32


def beside(program: str) -> str:
    """A program that is installed with what tests need."""
    return str(Path(sys.executable).with_name(program))


def composed(env_file: Path) -> subprocess.CompletedProcess[str]:
    """What `docker compose config` says, with this file and nothing else of ours in the environment."""
    ours = ("HOOKLEDGER_", "POSTGRES_", "KAFKA_", "COMPOSE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    words = ["--project-directory", str(ROOT), "--env-file", str(env_file), "config", "--format", "json"]
    return subprocess.run(
        [beside("docker-compose"), *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session", name="env_file")
def _env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """.env.example, filled."""
    filled = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name, value in (("POSTGRES_PASSWORD", "a password"), ("HOOKLEDGER_KEY", KEY)):
        assert f"\n{name}=\n" in filled
        filled = filled.replace(f"\n{name}=\n", f'\n{name}="{value}"\n')
    file = tmp_path_factory.mktemp("compose") / "env"
    file.write_text(filled)
    return file


@pytest.fixture(scope="session", name="services")
def _services(env_file: Path) -> dict[str, Any]:
    """The services of compose.yaml, by name."""
    ran = composed(env_file)
    assert ran.returncode == 0, ran.stderr
    services: dict[str, Any] = json.loads(ran.stdout)["services"]
    return services
