"""What tests of core are made of: an office, a ledger without one, events with what does not matter filled in."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path

from core.incoming import events_of
from core.ledger.append import SqliteAppender
from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.ledger.store import Database
from core.ledger.unit import Entry, Unit
from core.loading import load_plugins
from core.model import delivery, group, person, webhook
from core.model.topics import Codec
from core.office import Office
from tests.invented import InventedClock
from tests.plugins.conftest import ours

NOW = 1_795_000_000_000
SOURCE = ("http", "token")
WAIT_S = 10
"""How long a test waits for what must come."""


def our_plugins(**extra):
    """The three of this project as setup.cfg declares them, and what a test adds; no install is needed."""
    return load_plugins(only=(), extra=ours() | extra)


def open_office(data: Path, **given) -> Office:
    """An office on a directory, with a clock that only the test turns, where no URL is refused."""
    clock, environment = InventedClock(), {}
    if given.get("database") is not None:
        # Not everybody who builds has psycopg: the simulation has not.
        from tests import postgres

        environment = postgres.ENVIRONMENT
    given = {"clock": clock, "alarms": clock, "plugins": our_plugins(), "check_url": lambda url, ssl: None, **given}
    return Office(data, environment=environment, **given)


class Books:
    """A ledger without an office, in a directory or a database: what appends to it, and what reads it."""

    def __init__(self, place: Path | Database, codec: Codec | None = None) -> None:
        self.place, codec = place, codec or Codec()
        if isinstance(place, Database):
            # Not everybody who builds has psycopg: the simulation has not.
            from core.ledger.postgres.append import PostgresAppender
            from core.ledger.postgres.recorder import PostgresRecorder

            self.recorder = PostgresRecorder(place.url, place.schema)
            self.appender = PostgresAppender(self.recorder, codec, os.urandom(16))
        else:
            self.recorder = SqliteRecorder(place / "ledger.sqlite")
            self.appender = SqliteAppender(self.recorder, codec)
        self.reader = Reader(self.recorder, codec)

    def opened_again(self) -> Books:
        """The same ledger, as the next process has it."""
        self.close()
        return Books(self.place)

    def append(self, *units: Unit, at=NOW):
        """What each unit is answered, all in one commit."""
        return self.appender.append(units, at).answers

    def rows(self, sql):
        return self.recorder.rows(sql)

    def close(self):
        self.appender.close()
        self.recorder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class BusyDisk:
    """While it is entered, commits wait; what is appended meanwhile goes into the next one."""

    def __init__(self, office):
        self._office, self._go_on = office, threading.Event()
        self._submitted: asyncio.Queue[None] = asyncio.Queue()

    async def submitted(self):
        """Wait until somebody has something to append."""
        await asyncio.wait_for(self._submitted.get(), WAIT_S)

    def __enter__(self):
        writer = self._office.writer
        self._blocker = self._office.writing.submit(self._go_on.wait, WAIT_S)
        submit = writer.submit

        def noticed(units, on_answers):
            submit(units, on_answers)
            self._submitted.put_nowait(None)

        writer.submit = noticed
        return self

    def __exit__(self, *_):
        del self._office.writer.submit
        self._go_on.set()


def stream(number: int) -> bytes:
    return b"\xee" + number.to_bytes(15, "big")


def neutral(number=1, version=1) -> Entry:
    """An event that moves no directory."""
    return Entry(stream(number), version, delivery.Created("1", NOW, 7, stream(99)))


def sent(*events, tenant="1"):
    """Portal events as intake takes them; each needs a type, and gets an id and data where it has none."""
    plain = [{"id": f"e{number}", "data": {"id": 1}, **event} for number, event in enumerate(events)]
    return events_of(json.dumps(plain).encode(), tenant)


def set_person(id="p1", *, time=NOW, tenant="1", cause=None, **said):
    said = {"role": None, "status": None, "groups": None, "joins": (), "leaves": (), **said}
    return person.Set(tenant, NOW, id, time, *said.values(), cause)


def remove_person(id="p1", *, time=NOW, tenant="1", cause=None):
    return person.Removed(tenant, NOW, id, time, cause)


def set_group(id="g1", *, time=NOW, tenant="1", cause=None):
    return group.Set(tenant, NOW, id, time, cause)


def remove_group(id="g1", *, time=NOW, tenant="1", cause=None):
    return group.Removed(tenant, NOW, id, time, cause)


def create_webhook(*, tenant="1", owner=None, triggers=(), target=None, enabled=True, at=NOW):
    return webhook.Created(tenant, at, None, "any", "http://h/", owner, triggers, target, True, enabled, stream(98))
