"""The servers that the demo starts for itself: a broker, and PostgreSQL."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import psycopg

from tests import postgres
from tests.brokers.apache import ApacheBroker, missing
from tests.brokers.broker import Broker
from tests.brokers.small import SmallBroker


class Servers:
    """Running from `start` on. What was started also ends with this process, should nobody call `end`."""

    broker: Broker
    database_url: str

    def __init__(self, *, small: bool) -> None:
        self._kind: type[Broker] = SmallBroker if small or missing() else ApacheBroker
        self.why_small = ""
        """Why it is not Apache Kafka; empty: it is."""
        if small:
            self.why_small = "as --small says"
        elif missing():
            self.why_small = f"there is no {' and no '.join(missing())} here"

    @property
    def broker_version(self) -> str:
        return self._kind.version

    def start(self) -> str:
        """Both; which PostgreSQL it is. AssertionError when the broker does not answer."""
        self.broker = self._kind()
        self.broker.start()
        self.database_url = postgres.started_server(Path(tempfile.mkdtemp(prefix="hookledger-postgres-"))).get_uri()
        with psycopg.connect(self.database_url) as connection:
            (version,) = connection.execute("SHOW server_version").fetchone() or ("",)
        return f"PostgreSQL {version}"

    def end(self) -> None:
        """The broker; PostgreSQL ends with this process."""
        if hasattr(self, "broker"):
            self.broker.end()

    def environment(self, home: Path) -> dict[str, str]:
        """What commands are told of both."""
        return {
            "HOOKLEDGER_CONFIG": os.devnull,
            "HOOKLEDGER_DATA": str(home),
            "HOOKLEDGER_DATABASE": self.database_url,
            "HOOKLEDGER_KAFKA": self.broker.address,
            "HOOKLEDGER_KEY": os.urandom(32).hex(),
            "HOOKLEDGER_ALLOW_TARGET": "127.0.0.0/8",
        }
