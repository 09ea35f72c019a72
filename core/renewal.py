"""Tries plugins again that could not be loaded, until all are; the intake opens then, by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from functools import partial

from core.alarms import Alarm, Alarms
from core.clock import Clock
from core.errors import HookledgerError
from core.limits import PLUGIN_AGAIN_S
from core.loading import Loader
from core.log import Log
from core.plugins import Plugins, versions_of

LOOK_S = 1.0
"""How long an import that is tried again is waited for; what takes longer is looked at the next time."""

log = Log("plugins")


class Renewal:
    """*record* writes down with which plugins events are read from here on, before the first one is."""

    def __init__(
        self,
        loader: Loader,
        plugins: Plugins,
        record: Callable[[Mapping[str, str]], Awaitable[None]],
        executor: Executor,
        clock: Clock,
        alarms: Alarms,
    ) -> None:
        self._loader, self._plugins, self._record = loader, plugins, record
        self._executor, self._clock, self._alarms = executor, clock, alarms
        self._alarm: Alarm | None = None
        self._task: asyncio.Task[None] | None = None
        self.on_complete: Callable[[], None] = lambda: None
        """Called when all are loaded."""

    def begin(self) -> None:
        """There are some that could not be loaded."""
        for name, fault in self._plugins.faults.items():
            log.say("plugin.not_loaded", plugin=name, error=fault)
        self._wait()

    async def stop(self) -> None:
        if self._task is not None:
            await asyncio.wait((self._task,))
        if self._alarm is not None:
            self._alarm.cancel()

    def _wait(self) -> None:
        self._alarm = self._alarms.after(PLUGIN_AGAIN_S * 1000, self._wake)

    def _wake(self) -> None:
        self._task = asyncio.ensure_future(self._try())

    async def _try(self) -> None:
        before = self._plugins.faults
        look = partial(self._loader.load, wait_s=LOOK_S)
        loaded = await asyncio.get_running_loop().run_in_executor(self._executor, look)
        if not loaded.faults:
            try:
                await self._record(versions_of(loaded.plugins))
            except HookledgerError as error:
                log.say("plugins.not_recorded", error=error)
                self._wait()
                return
        self._plugins.take(loaded.plugins, loaded.faults)
        for name, fault in loaded.faults.items():
            if before.get(name) != fault:
                log.say("plugin.not_loaded", plugin=name, error=fault)
        for name in before.keys() - loaded.faults.keys():
            state = "is loaded" if name in self._plugins.versions() else "is uninstalled"
            log.say("plugin.mended", plugin=name, state=state)
        if loaded.faults:
            self._wait()
        else:
            self.on_complete()
