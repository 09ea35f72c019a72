"""compose.yaml is what `docker compose` understands, and every command in it is one that there is."""

from __future__ import annotations

import os
from typing import get_args

import click
import pytest

from core.settings import Role, strangers
from delivery import roles
from delivery.kafka.settings import read
from tests.brokers.apache import ApacheBroker
from tests.packaging.conftest import composed
from tests.packaging.image import environment, stages
from tests.tidy.reference import door
from tests.tidy.tree import ROOT

ROLES = get_args(Role)
ONCE = ("migrate", "topics")


def ours(services):
    return {name: service for name, service in services.items() if service["image"] == "hookledger"}


def parsed(words):
    """The command as click has it after all flags and variables were read; nothing runs."""
    command: click.Command = door()
    context = click.Context(command, info_name="hookledger")
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        command, context = found, click.Context(found, info_name=name, parent=context)
    return command.make_context(command.name, list(words), parent=context.parent)


def test_there_is_a_service_for_every_role(services):
    """Each role alone, two of what stands by or shares work, and what sets up PostgreSQL and Kafka before them."""
    assert set(services) == {"postgres", "kafka", *ONCE, *ROLES}
    replicas = {name: service.get("deploy", {}).get("replicas", 1) for name, service in services.items()}
    assert {name for name, count in replicas.items() if count == 2} == {"outbox", "worker"}


@pytest.mark.parametrize("name", [*ONCE, *ROLES])
def test_every_command_is_one(services, name, monkeypatch):
    """Its words and variables are read as they would be in a container: none is unknown, none cannot be."""
    for variable in [variable for variable in os.environ if variable.startswith("HOOKLEDGER_")]:
        monkeypatch.delenv(variable)
    said = {**environment(stages()[-1]), **ours(services)[name]["environment"]}
    for variable, value in said.items():
        monkeypatch.setenv(variable, value)
    context = parsed(ours(services)[name]["command"])
    assert strangers(said) == {}
    assert read(said["HOOKLEDGER_KAFKA"], said).servers == ("kafka:9092",)
    if name in ROLES:
        assert context.params["role"] == (name,)
        assert (context.params["host"], context.params["port"]) == ("0.0.0.0", 8420)
        roles.check(context.params["role"], has_database=True, has_kafka=True)
        assert context.params["database"] == "postgresql://hookledger@postgres:5432/hookledger"


def test_roles_wait_for_what_sets_up_and_that_for_what_it_sets_up(services):
    """Nobody starts on a database without tables, or where topics are not there yet."""
    awaits = {
        name: {other: said["condition"] for other, said in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    assert awaits["migrate"] == {"postgres": "service_healthy"}
    assert awaits["topics"] == {"kafka": "service_healthy"}
    for role in ROLES:
        assert awaits[role] == dict.fromkeys(ONCE, "service_completed_successfully")
    assert {name for name, service in services.items() if service["restart"] == "no"} == set(ONCE)


def test_all_have_the_same_key_and_none_has_more_rights_than_it_needs(services):
    """The master key goes to all; no process of ours can write, but into its own directory, or become another user."""
    for service in ours(services).values():
        assert service["environment"]["HOOKLEDGER_KEY"] == "5e" * 32
        assert service["environment"]["PGPASSWORD"] == services["postgres"]["environment"]["POSTGRES_PASSWORD"]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert "/var/lib/hookledger:uid=10001,gid=10001,mode=0700" in service["tmpfs"]
    published = {port["host_ip"] for service in services.values() for port in service.get("ports", ())}
    assert published == {"127.0.0.1"}


def test_what_nobody_filled_is_asked_for():
    """The example holds no secret, and without one nothing starts."""
    ran = composed(ROOT / ".env.example")
    assert ran.returncode != 0
    assert "copy .env.example to .env and fill it" in ran.stderr


def test_the_broker_is_the_one_that_tests_run_on(services):
    """Its image has the version that tests/brokers/pom.xml names."""
    assert services["kafka"]["image"] == f"apache/kafka:{ApacheBroker.version.split()[-1]}"
