"""A wire to PostgreSQL that can be cut: before what is sent arrives, or before its answer does."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict, make_conninfo

PORT = 5432
CALLS = b"_pg3_"
"""What psycopg calls a statement that it has prepared: `append` goes by such a name, also when it goes again."""
DONE = b"SELECT 1\0"
"""What the server says when a query that answers one row was done."""
COMMIT = b"COMMIT\0"
"""What ends a transaction, and what is said when it has ended."""


class Wire:
    """Listens on a Unix socket in a directory, and passes on what is said."""

    def __init__(self, url, directory):
        self._info = conninfo_to_dict(url)
        self.url = make_conninfo(url, host=str(directory), port=PORT)
        said = {**self._info, "host": directory, "port": PORT}
        self.database = "postgresql://?" + "&".join(f"{name}={quote(str(value))}" for name, value in said.items())
        """The same as a URL."""
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(directory / f".s.PGSQL.{PORT}"))
        self._listening.listen()
        self._open = []
        self.loses_request: bytes | None = None
        """What the next request that is lost has in it, such as CALLS or COMMIT."""
        self.loses_answer: bytes | None = None
        """As above, of answers: DONE, or COMMIT."""
        self.cuts = 0
        self.flows = threading.Event()
        """Cleared: nothing comes through, and nobody is told so, as where a network drops packets."""
        self.flows.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _connect(self):
        host, port = self._info.get("host") or "127.0.0.1", int(self._info.get("port") or PORT)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self.flows.wait()
                server = self._connect()
                self._open += (client, server)
                threading.Thread(target=self._pass_on, args=(client, server, self._request), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(server, client, self._answer), daemon=True).start()

    def _request(self, said):
        if self.loses_request is not None and self.loses_request in said:
            self.loses_request = None
            return False
        return True

    def _answer(self, said):
        if self.loses_answer is not None and self.loses_answer in said:
            self.loses_answer = None
            return False
        return True

    def _pass_on(self, source, target, may_pass):
        with suppress(OSError):
            while said := source.recv(1 << 20):
                self.flows.wait()
                if not may_pass(said):
                    self.cuts += 1
                    break
                target.sendall(said)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hold(self):
        """Pass on nothing, and break nothing, until `go_on`."""
        self.flows.clear()

    def go_on(self):
        self.flows.set()

    def close(self):
        self.flows.set()
        for end in (self._listening, *self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
