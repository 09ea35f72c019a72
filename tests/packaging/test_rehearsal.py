"""compose.yaml played without containers: its broker, its commands and its variables, in processes on loopback."""

from __future__ import annotations

import os
import subprocess

import aiohttp
import pytest

from core.ledger.store import Database
from tests import postgres
from tests.brokers.apache import CLUSTER, ApacheBroker
from tests.brokers.broker import free_port
from tests.end_to_end.place import Place

LOGGERS = "Configuration:\n  Loggers:\n    Root:\n      level: INFO\n    Logger: []\n"
"""What Kafka's image has of log4j, as far as its set-up reads it."""


class ComposedBroker(ApacheBroker):
    """Set up by the program of Kafka's own image, from the variables of compose.yaml, with other addresses in them."""

    def __init__(self, said: dict[str, str]) -> None:
        self._variables = said
        super().__init__()

    def _said(self) -> str:
        places = {name: self.folder / name for name in ("default", "mounted", "final")}
        for place in places.values():
            place.mkdir()
        for name in ("log4j2.yaml", "tools-log4j2.yaml"):
            (places["default"] / name).write_text(LOGGERS)
        words = ["setup", "-D", str(places["default"]), "-M", str(places["mounted"]), "-F", str(places["final"])]
        made = subprocess.run(
            self._java("kafka.docker.KafkaDockerWrapper", *words),
            env={"PATH": os.environ["PATH"], "CLUSTER_ID": CLUSTER, **self._addressed()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        return (places["final"] / "server.properties").read_text()

    def _format(self) -> None:
        """The set-up has done it."""

    def _addressed(self) -> dict[str, str]:
        here = {"kafka:": "127.0.0.1:", "://:": "://127.0.0.1:", ":9092": f":{self.port}"}
        here |= {":9093": f":{self._controller}", ":9094": f":{free_port()}"}
        said = dict(self._variables)
        for there, ours in here.items():
            said = {name: value.replace(there, ours) for name, value in said.items()}
        return {**said, "KAFKA_LOG_DIRS": str(self._data)}


@pytest.fixture(scope="module", name="broker")
def _broker(services):
    broker = ComposedBroker(services["kafka"]["environment"])
    broker.start()
    yield broker
    broker.stop()
    broker.end()


@pytest.fixture(name="database")
def _database():
    """A schema that nobody has made yet."""
    database = Database(postgres.server_url(), "composed")
    yield database
    postgres.drop(database)


async def test_the_services_come_up_in_their_order(services, broker, database, tmp_path):
    """Tables and topics are made, also a second time; then those that take events in are ready."""
    made = []

    def place_of(name):
        place = Place(tmp_path / name)
        place.environment |= services[name]["environment"]
        place.environment |= {"HOOKLEDGER_KAFKA": broker.address, "HOOKLEDGER_DATABASE": database.url}
        place.environment["HOOKLEDGER_SCHEMA"] = database.schema
        made.append(place)
        return place

    for name in ("migrate", "topics", "migrate", "topics"):
        ran = await place_of(name).run(*services[name]["command"])
        assert ran.code == 0, ran.err
    for name in ("api", "inbox"):
        command, *words = services[name]["command"]
        assert command == "serve"
        serving = await place_of(name).serve(*words)
        async with aiohttp.ClientSession() as session, session.get(f"{serving.url}/health/ready") as answer:
            assert answer.status == 200, await answer.text()
        assert await serving.stop() == 0
    for place in made:
        await place.close()
