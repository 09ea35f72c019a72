"""Everything of core, opened on one data directory: ledger, plugins, directory, intake, commands, history.

`serve` opens an office and adds delivery to it; a command without `serve` opens one, does its work and closes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from core import snapshots
from core.alarms import Alarms, LoopAlarms
from core.carried import Lookout
from core.check_url import CheckUrl
from core.chronicle import Chronicle
from core.clock import Clock, SystemClock, WatchedClock
from core.clock_steps import ClockSteps
from core.data_directory import LEDGER_FILE, VIEWS_FILE, Lock, opened_or_told, prepare
from core.errors import LedgerError
from core.histogram import Histogram
from core.history import History
from core.intake import Intake
from core.ledger.follow import Follower, View
from core.ledger.key_check import check_key
from core.ledger.keys import master_key
from core.ledger.opening import hearing, open_database, open_file
from core.ledger.read import Reader
from core.ledger.store import Appender, Database, Recorder
from core.ledger.unit import Entry, Unit
from core.ledger.view_store import ViewStore
from core.ledger.views import Views
from core.ledger.writer import Writer
from core.limits import COMMIT_UNITS_MAX
from core.loading import Loader
from core.mending import Mending
from core.model import catalogue
from core.model.topics import Codec
from core.once import Once
from core.plugins import Plugins
from core.randomness import Randomness
from core.redelivery import Redeliveries
from core.renewal import Renewal
from core.seen import Shared
from core.tally import Tally
from core.tokens import Tokens
from core.tracing import Tracing
from core.webhooks import Webhooks

if TYPE_CHECKING:  # what it imports is an extra
    from core.ledger.postgres.leader import Leader

READERS = 4
"""Threads that read the ledger and the views for others."""

CATALOGUE_STREAM = bytes(15) + b"\1"
SETTLE_S = 5.0
"""How long a process that stops waits for a database that does not answer."""
SNAPSHOT_LANDMARKS = 5_000
"""So many landmarks after the last snapshot, another one is worth its time."""


class Office:
    """The parts of core, joined. Made by `opened`; lives on one event loop."""

    leader: Leader | None = None
    """Who asks whether this process leads; None: nobody else could."""
    shared: Shared | None = None
    """Views that another process may follow; None: no other could."""
    tracing: Tracing | None = None
    lookout: Lookout | None = None
    _loop: asyncio.AbstractEventLoop | None = None

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
        prepare(data, has_ledger=database is None)
        self.clock = WatchedClock(clock or SystemClock())
        self.alarms = alarms or LoopAlarms(self.clock)
        self.random = random = random or Randomness()
        self._name = b"" if database is None else random(16)
        self.writing: Executor = ThreadPoolExecutor(1, "ledger")
        self.viewing: Executor = ThreadPoolExecutor(1, "views")
        self.reading: Executor = ThreadPoolExecutor(READERS, "reader")
        with ExitStack() as opened:
            self.lock = Lock(data)
            opened.callback(self.lock.close)
            loader = Loader()
            self.plugins = plugins or Plugins(*loader.load())
            self._open(opened, environment, synchronous)
            opened.pop_all()
        self.writer = Writer(
            self.appender, self.clock, self.alarms, self.writing, self.reading, commit_units_max=commit_units_max
        )
        self.tally = Tally()
        self.writer.on_missed, self.writer.on_alone = self.directory.apply, self.directory.drop_early
        self.writer.follow(lambda segment: self.directory.apply(segment.events))
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
        self.mending: Mending | None = None
        if isinstance(self.views, Views):
            self.mending = Mending(self.views, self.reader, self.writer, self.viewing, self.alarms)
            self.follow(History(self.reader), lambda: History(self.reader))
        self.hearing = hearing(database, self.writer, self._name)

    def _open(self, opened: ExitStack, environment: Mapping[str, str], synchronous: str) -> None:
        """Open the files, each closed again by *opened* should one after it not open."""
        self.recorder: Recorder
        self.appender: Appender
        self.views: ViewStore
        codec = Codec()
        if self.database is None:
            self._open_files(opened, codec, environment, synchronous)
        else:
            self._open_database(opened, codec, environment, self.database)
        self.directory, self._snapshot_at = opened_or_told(
            self.recorder.path, lambda: snapshots.as_recorded(self.reader, self.appender)
        )

    def _open_files(self, opened: ExitStack, codec: Codec, environment: Mapping[str, str], synchronous: str) -> None:
        ledger, views = self.data / LEDGER_FILE, self.data / VIEWS_FILE
        self.recorder, self.appender = opened_or_told(ledger, lambda: open_file(opened, ledger, codec, synchronous))
        self.reader = Reader(self.recorder, codec)
        head = self.appender.last
        self.master_key = master_key(environment, self.data, self.random, create=head == 0)
        # One that opens no secret would fail every delivery.
        check_key(self.recorder, self.master_key)
        self.views = opened_or_told(views, lambda: Views(views, self.recorder.identity, head))
        opened.callback(self.views.close)

    def _open_database(
        self, opened: ExitStack, codec: Codec, environment: Mapping[str, str], database: Database
    ) -> None:
        found = opened_or_told("the database", lambda: open_database(opened, database, codec, self._name))
        self.recorder, self.appender, self.views, self.leader = found
        found.appender.on_lost = self._lost
        self.shared = Shared(found.views, self.reading)
        # Whoever asks before any process has led finds nothing, and no error.
        opened_or_told(self.recorder.path, lambda: found.views.begin(History.name, History.tables))
        self.reader = Reader(self.recorder, codec)
        # Of several processes each would make a key of its own.
        self.master_key = master_key(environment, self.data, self.random, create=False)
        if not check_key(self.recorder, self.master_key):
            raise LedgerError(f"{self.recorder.path} does not know its master key yet: `hookledger migrate` it")

    def follow(self, view: View, anew: Callable[[], View]) -> Follower:
        """Keep a view up with the ledger; it starts with `start`. *anew* makes such a view, empty. Blocks."""
        seen = opened_or_told(self.views.path, lambda: self.views.begin(view.name, view.tables))
        if self.mending is not None:
            self.mending.anew[view.name] = anew
        return self._follow(view, seen)

    def _follow(self, view: View, seen: int) -> Follower:
        follower = Follower(view, self.views, self.writer, self.reader, self.viewing, self.clock, self.alarms, seen)
        self.followers.append(follower)
        return follower

    # One process of several leads: it follows the views, and nobody else does.

    async def lead(self, *views: View) -> list[Follower]:
        """Follow *views*, and the history, from where the leader before has come to; they start with `start`.
        OverloadedError or PersistenceError when the ledger does not answer."""
        loop = asyncio.get_running_loop()
        # All that was recorded before this term is to be followed before anything is handed out.
        await self.writer.append([Unit([])])
        self.appender.reads_all = True
        await self.clock_steps.start_shared(self.reading)
        for view in (History(self.reader), *views):
            self._follow(view, await loop.run_in_executor(self.viewing, self.views.begin, view.name, view.tables))
        return self.followers

    def stand_down(self) -> None:
        """Another process leads: follow no view any more."""
        self.clock_steps.stop()
        for follower in self.followers:
            follower.drop()
        self.followers.clear()
        self.appender.reads_all = False

    async def start(self) -> None:
        """Record which plugins read events from here on, and bring all views up to the ledger."""
        if self.mending is not None:
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
            self._loop = asyncio.get_running_loop()
            self.hearing.start()

    def _lost(self, fault: str | None) -> None:
        """Called in the thread that appends."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it may have ended
                self._loop.call_soon_threadsafe(self.writer.health.lost, fault)

    async def _record_plugins(self, versions: Mapping[str, str]) -> None:
        if versions != self.directory.plugins:
            event = catalogue.Changed("", self.clock.now_ms(), dict(versions))
            version = self.directory.catalogue_stream_version + 1
            await self.writer.append([Unit([Entry(CATALOGUE_STREAM, version, event)])])

    async def reach(self, position: int) -> None:
        """Wait until all views hold what stands at *position*: what one has just made is in the list. TimeoutError when
        nobody follows them just now."""
        if self.shared is not None and not self.followers:
            await self.shared.reach(position)
        for follower in self.followers:
            await follower.reach(position)

    @property
    def written(self) -> int:
        """Up to where all views hold the ledger, as far as is known here."""
        return min(
            (follower.written for follower in self.followers), default=0 if self.shared is None else self.shared.seen
        )

    async def settle(self) -> None:
        """Wait until nothing is on its way into the ledger. A database that is not there is not waited for long."""
        try:
            async with asyncio.timeout(None if self.database is None else SETTLE_S):
                await self.writer.settle()
        except TimeoutError:
            self.appender.close()
            await self.writer.settle()

    async def stop_following(self) -> None:
        """Write down what the views have gathered."""
        self.clock_steps.stop()
        if self.mending is not None:
            self.mending.stop()
        for follower in self.followers:
            await follower.stop()

    async def close(self) -> None:
        """Finish what is under way, and write down what makes the next start fast."""
        if self.hearing is not None:
            await self.hearing.stop()
        await self.renewal.stop()
        await self.settle()
        await self.stop_following()
        self.writer.close()
        loop = asyncio.get_running_loop()
        if self.directory.position - self._snapshot_at >= SNAPSHOT_LANDMARKS:
            await loop.run_in_executor(self.writing, snapshots.save, self.appender, self.directory)
        if self.leader is None:
            await loop.run_in_executor(self.reading, self.appender.claims.flush)
        else:  # whoever waits for a database that does not answer waits no longer
            for close in (self.leader.close, self.views.close, self.appender.close, self.recorder.close):
                close()
        for executor in (self.writing, self.viewing, self.reading):
            executor.shutdown()
        self.views.close()
        self.appender.close()
        self.recorder.close()
        self.lock.close()
