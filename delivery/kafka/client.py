"""What both kinds of clients have in common: how they are opened, and how it is said that no broker answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from kafka.errors import KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket

from core.log import Log

AGAIN_S = 1.0
"""How long until a client that could not be opened, or failed, is opened anew."""
AWAY_S = 2.0
"""How long no broker answers before it is said so."""

log = Log("kafka")


_CONNECT = KafkaNetSocket.sock_connect


async def _connect(self: Any, net: Any, sock: socket.socket, *rest: Any, **words: Any) -> Any:
    try:
        return await _CONNECT(self, net, sock, *rest, **words)
    except BaseException:  # whatever it was, also that nobody waits any more, the socket is nobody's
        sock.close()
        raise


# Of each connection that fails, kafka-python leaves the socket to the garbage collector: while a broker is away,
# files would run out.
KafkaNetSocket.sock_connect = _connect


def opened(kind: Callable[..., Any], arguments: dict[str, Any]) -> tuple[Any, Any]:
    """A client of kafka-python, and its network. Where it cannot be opened, nothing of it is left."""
    networks: list[Any] = []

    def network(**said: Any) -> Any:
        networks.append(KafkaNetClient(**said))
        return networks[0]

    try:
        return kind(kafka_client=network, **arguments), networks[0]
    except BaseException:  # whatever it was, nothing stays open
        for one in networks:
            one.close()
        raise


class Outage:
    """Whether the brokers answer one client, as its thread sees it; said once when they do not, once when they do."""

    def __init__(self, client: str, servers: tuple[str, ...]) -> None:
        self._client = client
        self._servers = ", ".join(servers)
        self._silent_since: float | None = None
        self.fault: str | None = None

    def silent(self, why: str | None = None) -> None:
        """Nothing goes on just now; it is a fault if it lasts."""
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        elif now - self._silent_since >= AWAY_S:
            self.begin(why or f"no broker answers at {self._servers}")

    def failed(self, error: BaseException) -> None:
        """The client cannot be used as it is."""
        is_silent = isinstance(error, KafkaTimeoutError)
        self.begin(f"no broker answers at {self._servers}" if is_silent else text_of(error))

    def begin(self, fault: str) -> None:
        if self.fault is None:
            log.say("kafka.away", client=self._client, error=fault)
        self.fault = fault

    def end(self) -> None:
        self._silent_since = None
        if self.fault is not None:
            log.say("kafka.back", client=self._client)
        self.fault = None


def text_of(error: BaseException) -> str:
    """One line that says what it is."""
    return " ".join(str(error).split()) or type(error).__name__
