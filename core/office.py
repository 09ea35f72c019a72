"""Everything of core, opened on one data directory: ledger, plugins, directory, intake, commands, history.

`serve` opens an office and adds delivery to it; a command without `serve` opens one, does its work and closes it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from core.alarms import Alarms, LoopAlarms
from core.carried import Lookout
from core.check_url import CheckUrl
from core.chronicle import Chronicle
from core.clock import Clock, SystemClock, WatchedClock
from core.clock_steps import ClockSteps
from core.directory import SNAPSHOT, Directory
from core.errors import LedgerBusyError, LedgerError
from core.histogram import Histogram
from core.history import History
from core.intake import Intake
from core.ledger.fault import FAULTS, in_words
from core.ledger.follow import Follower, View
from core.ledger.key_check import check_key
from core.ledger.keys import KEY_FILE, MasterKey, master_key
from core.ledger.opening import hearing, open_database, open_file
from core.ledger.read import Reader
from core.ledger.store import Appender, Database, Recorder
from core.ledger.unit import Entry, Unit
from core.ledger.views import Views
from core.ledger.writer import Writer
from core.limits import COMMIT_UNITS_MAX
from core.loading import Loader
from core.log import Log
from core.mending import Mending
from core.model import catalogue
from core.model.topics import Codec
from core.once import Once
from core.plugins import Plugins
from core.randomness import Randomness
from core.redelivery import Redeliveries
from core.renewal import Renewal
from core.tally import Tally
from core.tokens import Tokens
from core.tracing import Tracing
from core.webhooks import Webhooks

log = Log("office")

LEDGER_FILE = "ledger.sqlite"
VIEWS_FILE = "views.sqlite"
LOCK_FILE = "lock"
READERS = 4
"""Threads that read the ledger and the views for others."""

CATALOGUE_STREAM = bytes(15) + b"\1"
SNAPSHOT_LANDMARKS = 5_000
"""So many landmarks after the last snapshot, another one is worth its time."""


Opened = TypeVar("Opened")


class Lock:
    """The lock on a data directory: held by one process, given up by the kernel when that dies."""

    def __init__(self, data: Path) -> None:
        self.path = data / LOCK_FILE
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LedgerError(
                f"{self.path} cannot be opened: {error.strerror}; let the user of this process write {data}, "
                "or name another --data"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 20, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise LedgerBusyError(
                f"another process (pid {holder or 'unknown'}) holds {data}: stop it, or use another --data"
            ) from None
        with suppress(OSError):  # on a full disk: then it says a dead one's, or nobody's, and is held all the same
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        os.close(self._file)


def _prepare(data: Path, *, has_ledger: bool) -> None:
    """Make the directory where there is none; LedgerError where that cannot be, or where a ledger has been lost."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        left = [name for name in (KEY_FILE, VIEWS_FILE) if (data / name).exists()]
        ledger = data / LEDGER_FILE
        is_lost = has_ledger and left and (not ledger.exists() or (ledger.is_file() and not ledger.stat().st_size))
    except OSError as error:
        raise LedgerError(f"{data} cannot be used: {error.strerror}; name another --data") from error
    if is_lost:
        raise LedgerError(
            f"{data} has {' and '.join(left)} but no {LEDGER_FILE}, or an empty one: `hookledger restore` the newest "
            "backup, or name another --data"
        )


def _opened(path: Path, open_: Callable[[], Opened]) -> Opened:
    """What *open_* opens; LedgerError, with what to do, where the file does not open."""
    try:
        return open_()
    except (*FAULTS, OSError) as error:
        raise LedgerError(in_words(error, path)) from error


class Office:
    """The parts of core, joined. Made by `opened`; lives on one event loop."""

    def __init__(
        self,
        data: Path,
        *,
        environment: Mapping[str, str],
        check_url: CheckUrl,
        clock: Clock | None = None,
        alarms: Alarms | None = None,
        random: Callable[[int], bytes] | None = None,
        plugins: Plugins | None = None,
        synchronous: str = "FULL",
        commit_units_max: int = COMMIT_UNITS_MAX,
        database: Database | None = None,
    ) -> None:
        """*database*: where the ledger is, if it is not in *data*."""
        self.data, self.database = data, database
        _prepare(data, has_ledger=database is None)
        self.clock = WatchedClock(clock or SystemClock())
        self.alarms = alarms or LoopAlarms(self.clock)
        self.random = random = random or Randomness()
        self._name = b"" if database is None else random(16)
        with ExitStack() as opened:
            self.lock = Lock(data)
            opened.callback(self.lock.close)
            loader = Loader()
            self.plugins = plugins or Plugins(*loader.load())
            self._open(opened, environment, synchronous)
            opened.pop_all()
        self.writing: Executor = ThreadPoolExecutor(1, "ledger")
        self.viewing: Executor = ThreadPoolExecutor(1, "views")
        self.reading: Executor = ThreadPoolExecutor(READERS, "reader")
        self.writer = Writer(
            self.appender, self.clock, self.alarms, self.writing, self.reading, commit_units_max=commit_units_max
        )
        self.tally = Tally()
        self.writer.on_missed = self.directory.apply
        self.writer.follow(lambda segment: self.directory.apply(segment.events))
        self.tracing: Tracing | None = None
        self.lookout: Lookout | None = None
        self.chronicle = Chronicle(self.directory)
        self.writer.follow(lambda segment: self.chronicle.follow(segment, self.tally.follow(segment)))
        self.intake = Intake(
            self.directory, self.plugins, self.writer, self.reader, self.reading, self.clock, random, self.tally
        )
        self.once = Once(self.writer, self.reader, self.reading, self.master_key, self.clock, random)
        self.webhooks = Webhooks(
            self.directory, self.plugins, self.intake, self.writer, self.master_key, self.clock, random, check_url
        )
        self.renewal = Renewal(loader, self.plugins, self._record_plugins, self.reading, self.clock, self.alarms)
        self.redeliveries = Redeliveries(
            self.directory, self.plugins, self.writer, self.reader, self.reading, self.clock, random
        )
        self.tokens = Tokens(self.directory, self.intake, self.writer, self.clock, random)
        self.gauges: list[Callable[[], Awaitable[Iterable[tuple[str, tuple[str, ...], float | Histogram]]]]] = []
        """Who else has something to show at `/metrics`: samples as core/gauges.py has them."""
        self.followers: list[Follower] = []
        self.clock_steps = ClockSteps(self.clock, self.writer, self.reader, self.alarms)
        self.mending = Mending(self.views, self.reader, self.writer, self.viewing, self.alarms)
        self.follow(History(self.reader), lambda: History(self.reader))
        self.hearing = hearing(database, self.writer, self._name)

    def _open(self, opened: ExitStack, environment: Mapping[str, str], synchronous: str) -> None:
        """Open the files, each closed again by *opened* should one after it not open."""
        ledger, views = self.data / LEDGER_FILE, self.data / VIEWS_FILE
        codec = Codec()
        self.recorder: Recorder
        self.appender: Appender
        if self.database is None:
            self.recorder, self.appender = _opened(ledger, lambda: open_file(opened, ledger, codec, synchronous))
        else:
            self.recorder, self.appender = _opened(
                ledger, partial(open_database, opened, self.database, codec, self._name)
            )
        self.reader = Reader(self.recorder, codec)
        head = self.appender.last
        self.master_key: MasterKey = master_key(environment, self.data, self.random, create=head == 0)
        # One that opens no secret would fail every delivery.
        check_key(self.recorder, self.master_key)
        self.directory, self._snapshot_at = _opened(ledger, self._read_directory)
        self.views = _opened(views, lambda: Views(views, self.recorder.identity, head))
        opened.callback(self.views.close)

    def _read_directory(self) -> tuple[Directory, int]:
        snapshot = self.reader.snapshot(SNAPSHOT)
        directory = Directory() if snapshot is None else Directory.restored(snapshot[1])
        position = directory.position
        directory.apply(self.reader.landmarks(position))
        for tenant, known in directory.tenants.items():
            if known.version != self.appender.directory(tenant):
                raise LedgerError(f"the directory of tenant {tenant!r} does not fold to the version the ledger has")
        return directory, position

    def follow(self, view: View, anew: Callable[[], View]) -> Follower:
        """Keep a view up with the ledger; it starts with `start`. *anew* makes such a view, empty."""
        follower = _opened(
            self.views.path,
            lambda: Follower(view, self.views, self.writer, self.reader, self.viewing, self.clock, self.alarms),
        )
        self.followers.append(follower)
        self.mending.anew[view.name] = anew
        return follower

    async def start(self) -> None:
        """Record which plugins read events from here on, and bring all views up to the ledger."""
        self.mending.start()
        self.clock_steps.start()
        if self.plugins.faults:
            # Nothing is read until they are all there, or uninstalled: one that is broken has not gone.
            self.renewal.begin()
        else:
            await self._record_plugins(self.plugins.versions())
        for follower in self.followers:
            await follower.start()
        if self.hearing is not None:
            self.hearing.start()

    async def _record_plugins(self, versions: Mapping[str, str]) -> None:
        if versions != self.directory.plugins:
            event = catalogue.Changed("", self.clock.now_ms(), dict(versions))
            version = self.directory.catalogue_stream_version + 1
            await self.writer.append([Unit([Entry(CATALOGUE_STREAM, version, event)])])

    async def reach(self, position: int) -> None:
        """Wait until all views hold what stands at *position*: what one has just made is in the list."""
        for follower in self.followers:
            await follower.reach(position)

    @property
    def written(self) -> int:
        """Up to where all views hold the ledger."""
        return min((follower.written for follower in self.followers), default=0)

    async def close(self) -> None:
        """Finish what is under way, and write down what makes the next start fast."""
        if self.hearing is not None:
            await self.hearing.stop()
        await self.renewal.stop()
        self.clock_steps.stop()
        await self.writer.settle()
        self.mending.stop()
        for follower in self.followers:
            await follower.stop()
        self.writer.close()
        loop = asyncio.get_running_loop()
        if self.directory.position - self._snapshot_at >= SNAPSHOT_LANDMARKS:
            await loop.run_in_executor(self.writing, self._save_snapshot)
        await loop.run_in_executor(self.reading, self.appender.claims.flush)
        for executor in (self.writing, self.viewing, self.reading):
            executor.shutdown()
        self.views.close()
        self.appender.close()
        self.recorder.close()
        self.lock.close()

    def _save_snapshot(self) -> None:
        try:
            self.appender.save_snapshot(SNAPSHOT, self.directory.position, self.directory.snapshot())
        except FAULTS as error:
            log.say("snapshot.not_kept", error=error)
