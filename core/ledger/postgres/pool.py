"""A few connections of one process that read, made when they are needed; whoever finds the database away hears why at
once, and whoever asks when it is back is answered at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

Connection = psycopg.Connection[tuple[Any, ...]]


class Pool:
    """As the library wants one; from any thread."""

    def __init__(self, make: Callable[[], Connection], connections_max: int, wait_s: float) -> None:
        """*make*: a new connection, or psycopg.Error. *wait_s*: how long one is waited for when all are in use."""
        self._make, self._connections_max, self._wait_s = make, connections_max, wait_s
        self._room = threading.BoundedSemaphore(connections_max)
        self._idle: list[Connection] = []
        self._in_use: dict[Connection, None] = {}
        self._is_closed = False

    def open(self, _wait: bool = False, _timeout: float = 0.0) -> None:
        """Nothing is made before it is needed."""

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One that nobody else uses meanwhile. psycopg.OperationalError when there is none."""
        if self._is_closed:
            raise psycopg.OperationalError("nothing is read any more")
        if not self._room.acquire(timeout=self._wait_s):
            raise psycopg.OperationalError(
                f"all {self._connections_max} connections that read are busy, for {self._wait_s:g} s now"
            )
        try:
            connection = self._taken()
            self._in_use[connection] = None
            try:
                yield connection
            finally:
                del self._in_use[connection]
                self._put_back(connection)
        finally:
            self._room.release()

    def _taken(self) -> Connection:
        try:
            # The one that was used last: what is not needed for long is the one at the other end.
            return self._idle.pop()
        except IndexError:
            return self._make()

    def _put_back(self, connection: Connection) -> None:
        if self._is_closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Whoever waits for an answer waits no longer."""
        self._is_closed = True
        for connection in (*self._idle, *self._in_use):
            connection.close()
