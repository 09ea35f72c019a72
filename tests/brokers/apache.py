"""Apache Kafka: one KRaft node, of the jars that Maven finds for tests/brokers/pom.xml."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.brokers.broker import Broker, free_port

POM = Path(__file__).with_name("pom.xml")
NEEDED = ("java", "mvn")
CLUSTER = "aG9va2xlZGdlci10ZXN0cw"
"""The id of every cluster: 16 bytes in base64."""


class ApacheBroker(Broker):
    """It keeps its log in a directory, which outlives a stop and a kill."""

    version = f"Apache Kafka {re.search('kafka_2.13</artifactId>[^<]*<version>([^<]+)', POM.read_text())[1]}"

    def __init__(self) -> None:
        super().__init__()
        self._controller = free_port()
        self._properties = self.folder / "server.properties"
        self._data = self.folder / "data"
        self._jars = jars()
        self._properties.write_text(self._said())
        self._format()

    def empty(self) -> None:
        """It has lost its log, and everything in it, when it starts again. It must not run."""
        assert not self.runs
        shutil.rmtree(self._data)
        self._format()

    def command(self) -> list[str]:
        return self._java("-Xmx512m", "-Dfile.encoding=UTF-8", "kafka.Kafka", str(self._properties))

    def _java(self, *words: str) -> list[str]:
        return ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars}/*", *words]

    def _format(self) -> None:
        words = ("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(self._properties))
        made = subprocess.run(self._java(*words), cwd=self.folder, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr

    def _said(self) -> str:
        listeners = f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self._controller}"
        return "\n".join(
            [
                "process.roles=broker,controller",
                "node.id=1",
                f"controller.quorum.voters=1@127.0.0.1:{self._controller}",
                f"listeners={listeners}",
                f"advertised.listeners=PLAINTEXT://{self.address}",
                "controller.listener.names=CONTROLLER",
                f"log.dirs={self._data}",
                "auto.create.topics.enable=false",
                "offsets.topic.replication.factor=1",
                # as many as one node opens at once
                "offsets.topic.num.partitions=4",
                "transaction.state.log.replication.factor=1",
                "transaction.state.log.min.isr=1",
                # or the first member of a group waits 3 s for others
                "group.initial.rebalance.delay.ms=0",
                "group.min.session.timeout.ms=1000",
                # or one that was killed may not register again for 9 s
                "broker.session.timeout.ms=1500",
                "broker.heartbeat.interval.ms=300",
            ]
        )


def missing() -> list[str]:
    """What it needs and is not on this machine."""
    return [program for program in NEEDED if shutil.which(program) is None]


@cache
def jars() -> Path:
    """The folder of its jars. Of two processes that look for it at once, one brings them."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hookledger-tests"
    caches.mkdir(parents=True, exist_ok=True)
    folder = caches / f"brokers-{hashlib.sha256(POM.read_bytes()).hexdigest()[:16]}"
    with (caches / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not folder.is_dir():
            _bring(folder)
    return folder


def _bring(folder: Path) -> None:
    coming = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        shutil.copy(POM, coming / "pom.xml")
        words = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={coming / 'jars'}"]
        brought = subprocess.run(words, cwd=coming, capture_output=True, text=True, check=False)
        assert brought.returncode == 0, f"Maven brought no broker: {brought.stdout}{brought.stderr}"
        (coming / "jars").rename(folder)
    finally:
        shutil.rmtree(coming, ignore_errors=True)
