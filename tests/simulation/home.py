"""The service in the simulation: its data directory, and one machine after the other on which it runs.

Each start is a new machine with a new address, and its death is final. The way a service is joined, started and
stopped is that of `hookledger serve`, but for the operator's socket, which is a port here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.limits import STOP_S
from core.office import Office
from core.operations.table import operations
from core.web import app, operator
from delivery.connections import Connections
from delivery.reception import Reception
from delivery.serve import _stop as stop
from delivery.service import Service

if TYPE_CHECKING:
    from tests.simulation.weather import Weather
    from tests.simulation.world import World

NAME = "hookledger.example"
PORT, OPERATOR_PORT = 8420, 8421
ALLOW = (ip_network("10.7.0.0/16"),)
"""simloop's addresses."""
KEY = {"HOOKLEDGER_KEY": "5a" * 32}
LOSABLE = ("views.sqlite", "claims.sqlite")
"""Files whose newest rows a power cut may take."""


class Epoch:
    """One machine's life: true times in seconds; `how` it ended."""

    def __init__(self, machine: str, started_s: float) -> None:
        self.machine = machine
        self.started_s = started_s
        self.ready_s: float | None = None
        self.ended_s = float("inf")
        self.how = ""
        self.service: Service | None = None
        self.task: asyncio.Task[None] | None = None
        self.stop = asyncio.Event()


class Home:
    """Where the service lives."""

    def __init__(self, world: World, data: Path) -> None:
        self.world, self.data = world, data
        self.epochs: list[Epoch] = []
        self.copies: list[tuple[float, Path]] = []
        """The views as they were at some true times (seconds)."""
        self._copied: dict[str, Path] = {}

    @property
    def epoch(self) -> Epoch | None:
        """The machine that runs just now."""
        return self.epochs[-1] if self.epochs and not self.epochs[-1].how else None

    @property
    def is_ready(self) -> bool:
        return self.epoch is not None and self.epoch.ready_s is not None and not self.epoch.stop.is_set()

    def machine_at(self, true_s: float) -> str:
        """Which machine ran then; *true_s* is cut to whole milliseconds."""
        return [epoch.machine for epoch in self.epochs if epoch.started_s < true_s + 0.001][-1]

    # Starting, stopping, dying.

    def boot(self) -> None:
        assert self.epoch is None
        world = self.world
        epoch = Epoch(f"ledger-{len(self.epochs) + 1}", world.loop.now_s)
        self.epochs.append(epoch)
        world.join("ledger", NAME, epoch.machine)
        world.say(f"{epoch.machine} starts")
        epoch.task = world.loop.net.host(epoch.machine).create_task(self._serve(epoch))
        epoch.task.add_done_callback(lambda task: self._ended(epoch, task))

    async def _serve(self, epoch: Epoch) -> None:
        world = self.world
        service = epoch.service = Service(
            self.data,
            environment=KEY,
            allow=ALLOW,
            clock=world.wall,
            random=world.ledger_random.randbytes,
            plugins=world.plugins,
            resolver=world.names,
            files_max=world.plan.files_max,
            jitter=lambda: world.ledger_random.uniform(-1, 1),
            synchronous="OFF",
            young_requests_max=world.plan.young_max,
        )
        service.office.appender._connection = DoubtfulConnection(service.office.recorder.writing, world.weather)
        connections, backlog = Connections(service.shares.connections), service.shares.backlog
        site = app.build(service.office, service.readiness)
        public = Reception(site, lambda: service.is_ready, connections, backlog)
        private = Reception(operator.build(service.office, operations()), lambda: service.is_ready)
        try:
            await public.open_port("127.0.0.1", PORT)
            await service.start()
            await private.open_port("127.0.0.1", OPERATOR_PORT)
            epoch.ready_s = world.loop.now_s
            world.say(f"{epoch.machine} is ready")
            await epoch.stop.wait()
        finally:
            world.say(f"{epoch.machine} {await stop(service, (public, private), None, STOP_S)}")

    def _ended(self, epoch: Epoch, task: asyncio.Task[None]) -> None:
        """It stopped by itself: gracefully, if somebody asked for it."""
        epoch.ended_s = self.world.loop.now_s
        epoch.how = "stopped"
        self.world.say(f"{epoch.machine} has stopped")
        error = task.exception()
        if error is not None or not epoch.stop.is_set():
            self.world.fault("the service runs", f"{epoch.machine} ended by itself: {error!r}")
        self.world.loop.kill(epoch.machine, is_power_cut=False)

    def stop(self) -> None:
        """Ask it to stop gracefully."""
        assert self.epoch is not None
        self.world.say(f"{self.epoch.machine} is asked to stop")
        self.epoch.stop.set()

    def kill(self, *, is_power_cut: bool) -> None:
        """It dies where it stands."""
        epoch = self.epoch
        assert epoch is not None
        epoch.how = "power cut" if is_power_cut else "killed"
        epoch.ended_s = self.world.loop.now_s
        self.world.say(f"{epoch.machine} dies: {epoch.how}")
        self.world.loop.kill(epoch.machine, is_power_cut=is_power_cut)
        if epoch.service is not None:
            _let_go(epoch.service.office)
        if is_power_cut and self.world.random.random() < 0.5:
            self._lose_newest_rows()

    async def ended(self) -> None:
        """Wait until it has stopped."""
        while self.epoch is not None:
            await self.world.loop.pause(0.1)

    # What a power cut takes.

    def copy(self) -> None:
        """Keep the views and the claims' index as they are now: a power cut may bring this state back."""
        for name in LOSABLE:
            if (self.data / name).exists():
                path = self._copied[name] = self.data.with_name(f"{len(self.copies)}-{name}")
                with closing(sqlite3.connect(self.data / name)) as now, closing(sqlite3.connect(path)) as copy:
                    now.backup(copy)
        self.copies.append((self.world.loop.now_s, self._copied["views.sqlite"]))

    def _lose_newest_rows(self) -> None:
        if self.world.random.random() < 0.2:
            self.world.say("the views are lost")
            for path in self.data.glob("views.sqlite*"):
                path.unlink()
            return
        for name, copy in self._copied.items():
            self.world.say(f"the newest rows of {name} are lost")
            for suffix in ("", "-wal", "-shm"):
                (self.data / f"{name}{suffix}").unlink(missing_ok=True)
            shutil.copy(copy, self.data / name)


class DoubtfulConnection:
    """The connection that writes the ledger, on a disk that may fail at any statement.

    A commit may fail, and have happened; whether it did, the disk then says. SQLite itself leaves no such doubt.
    """

    def __init__(self, connection: sqlite3.Connection, weather: Weather) -> None:
        self._connection, self._weather = connection, weather

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "ROLLBACK" or sql.startswith("SELECT 1 FROM commits") or not self._weather.is_refused():
            return self._connection.execute(sql, *values)
        if sql == "COMMIT" and self._weather.loses_answer():
            self._connection.execute(sql)
        raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _let_go(office: Office) -> None:
    """What the kernel does for a dead process: its files are closed, what was not committed is rolled back."""
    office.views.close()
    office.appender.close()
    office.recorder.close()
    with contextlib.suppress(OSError):
        os.close(office.lock._file)
