"""compose.yaml played without containers: its broker, its commands and its variables, in processes on loopback."""

from __future__ import annotations

import os
import subprocess

import aiohttp
import pytest

from core.ledger.store import Database
from delivery.kafka.producer import Producer
from delivery.kafka.records import Message
from delivery.kafka.settings import read
from tests import postgres
from tests.brokers.apache import CLUSTER, ApacheBroker
from tests.brokers.broker import free_port
from tests.end_to_end.conftest import _receiver  # noqa: F401 -- a fixture
from tests.end_to_end.place import Place

EVENT = b'{"id": "1", "type": "file.created", "data": {"id": 991}}'
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


@pytest.fixture(name="produce")
async def _produce():
    made = []

    def produce(broker):
        made.append(Producer(read(broker.address, {})))
        return made[-1]

    yield produce
    for producer in made:
        await producer.close()


@pytest.fixture(name="database")
def _database():
    """A schema that nobody has made yet."""
    database = Database(postgres.server_url(), "composed")
    yield database
    postgres.drop(database)


class Stage:
    """The services of one compose.yaml, each a process with a data directory of its own."""

    def __init__(self, home, services, broker, database):
        self._home, self._services = home, services
        self._played = {"HOOKLEDGER_KAFKA": broker.address, "HOOKLEDGER_DATABASE": database.url}
        self._played |= {"HOOKLEDGER_SCHEMA": database.schema, "HOOKLEDGER_ALLOW_TARGET": "127.0.0.0/8"}
        self._places = {}

    def place(self, name):
        if name not in self._places:
            self._places[name] = Place(self._home / name)
            self._places[name].environment |= self._services[name]["environment"] | self._played
        return self._places[name]

    async def run(self, name):
        ran = await self.place(name).run(*self._services[name]["command"])
        assert ran.code == 0, ran.err

    async def serve(self, name):
        command, *words = self._services[name]["command"]
        assert command == "serve"
        return await self.place(name).serve(*words)

    async def close(self):
        for place in self._places.values():
            await place.close()


async def test_the_services_bring_an_event_to_a_receiver(services, broker, database, receiver, produce, tmp_path):
    """Tables and topics are made, also a second time; then each role is ready, and together they deliver."""
    stage = Stage(tmp_path, services, broker, database)
    try:
        for name in ("migrate", "topics", "migrate", "topics"):
            await stage.run(name)
        serving = {name: await stage.serve(name) for name in ("api", "inbox", "outbox", "worker")}
        async with aiohttp.ClientSession() as session:
            for name, one in serving.items():
                async with session.get(f"{one.url}/health/ready") as answer:
                    assert answer.status == 200, (name, await answer.text())
        # As `docker compose exec api hookledger …` does.
        made = await stage.place("api").run("webhooks", "create", "mine", f"{receiver.url}/mine", "--no-ssl")
        assert made.code == 0, made.err
        await produce(broker).send([Message("portal.events", b"991", EVENT)])
        assert (await receiver.next()).path == "/mine"
        for one in serving.values():
            assert await one.stop() == 0
    finally:
        await stage.close()
