"""Hears of what other processes record: PostgreSQL notifies, and now and then it is looked without that.

A notification may be lost with its connection, and one that is lost costs nothing but the time until the next look.
Processes notify only while another one is there, which shows by a lock on the connection that it appends with.
"""

from __future__ import annotations

import asyncio

import psycopg
from psycopg.sql import SQL, Identifier

from core.ledger.postgres.recorder import patience
from core.ledger.store import Database
from core.ledger.writer import Writer
from core.log import Log

log = Log("ledger")

LOOK_S = 5.0
"""How often it is looked whether there is something new, whatever was heard."""
STOP_S = 1.0
"""How long a connection may take to be given up."""
AGAIN_S = 1.0
"""How long until a connection that broke is made again."""


class Hearing:
    """Has a writer look whenever another process has recorded something; from `start` to `stop`."""

    def __init__(self, database: Database, writer: Writer, own: bytes) -> None:
        """*own*: this process's name, as its appender has it."""
        self._database, self._writer, self._own = database, writer, own.hex()
        self._task: asyncio.Task[None] | None = None
        self.is_connected = False
        """Whether notifications come."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._hear())

    async def stop(self) -> None:
        """Hear nothing more."""
        if self._task is not None:
            self._task.cancel()
            # psycopg asks the server to stop what it does, and waits for its answer; there may be none.
            await asyncio.wait({self._task}, timeout=STOP_S)

    async def _hear(self) -> None:
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                if self.is_connected:
                    log.say("ledger.hears_nothing", error=error)
            self.is_connected = False
            self._writer.look()
            await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        url, schema = self._database
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, **patience(url))
        async with connection:
            await connection.execute(SQL("LISTEN {}").format(Identifier("hookledger")))
            self.is_connected = True
            while True:
                # What came between two looks, or before the first.
                self._writer.look()
                async for heard in connection.notifies(timeout=LOOK_S):
                    name, head, by = heard.payload.rsplit(" ", 2)
                    if name == schema and by != self._own and int(head) > self._writer.head:
                        self._writer.look()
