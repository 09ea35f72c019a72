"""A real broker in a process of its own, which can be stopped, killed and started again where it was."""

from __future__ import annotations

import atexit
import shutil
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from contextlib import closing
from itertools import count
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError

READY_S = 60.0
STOP_S = 30.0
LOG_SHOWN_CHARS = 4_000
_NUMBERS = count(1)


class Broker(ABC):
    """One node on loopback, at the same free port for as long as it exists."""

    version: str
    """What is named at the end of a run."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hookledger-broker-"))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._log = self.folder / "said"
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.end)

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it."""

    def start(self) -> None:
        """From here on it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            # It tries again by itself, and would soon do so every half minute only.
            patient = {"bootstrap_timeout_ms": round(READY_S * 1000), "reconnect_backoff_max_ms": 200}
            KafkaAdminClient(bootstrap_servers=self.address, **patient).close()
        except KafkaError as error:
            self.kill()
            said = self._log.read_text(errors="replace")[-LOG_SHOWN_CHARS:]
            raise AssertionError(f"{self.version} at {self.address} does not answer: {error}\n{said}") from error

    def stop(self) -> None:
        """As an operator would."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_S)
            self._process = None

    def kill(self) -> None:
        """As nobody would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_S)
            self._process = None

    @property
    def runs(self) -> bool:
        return self._process is not None

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_topic(self, partitions: int = 4, name: str = "", **config: str) -> str:
        """An empty topic; without a *name*, one that nobody else has."""
        name = name or f"topic-{next(_NUMBERS)}"
        with closing(KafkaAdminClient(bootstrap_servers=self.address)) as admin:
            admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
        return name

    def has_topic(self, name: str) -> bool:
        with closing(KafkaAdminClient(bootstrap_servers=self.address)) as admin:
            return name in admin.list_topics()


def free_port() -> int:
    """A port of loopback that nobody uses just now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]
