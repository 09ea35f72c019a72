"""Finds plugins and loads them, each in a thread of its own: an import may do anything, and take for ever."""

from __future__ import annotations

import importlib
import inspect
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

import pluggy

from core import hookspecs
from core.asking import Hook, Plugin
from core.catalogue import catalogue_of
from core.errors import PluginError
from core.hook_guard import is_of, place
from core.limits import IMPORT_S
from core.plugins import Plugins
from core.readings import described
from core.trigger import Trigger

GROUP = "hookledger"
"""The entry-point group plugins are found by."""

HOOKS = ("register_triggers", "read_event", "can_see")
"""In the order of their calls."""

UNVERSIONED = "0"
"""The version of what comes from no distribution and names none itself."""


class Loaded(NamedTuple):
    """Plugins that work, by name in order, and what is wrong with the others."""

    plugins: Sequence[Plugin]
    faults: Mapping[str, str]


class Loader:
    """Loads what installed distributions offer; asked again, it tries again what it could not load before.

    What was loaded stays as it is: code that runs is not replaced. *only*: those of these names.
    """

    def __init__(
        self,
        only: Sequence[str] | None = None,
        extra: Mapping[str, object] | None = None,
        *,
        import_s: float = IMPORT_S,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._only, self._extra, self._import_s, self._timer = only, extra or {}, import_s, timer
        self._loaded: dict[str, Plugin] = {}
        self._attempts: dict[str, _Attempt] = {}

    def load(self, wait_s: float | None = None) -> Loaded:
        """All that can be loaded. Blocks up to *wait_s*, or else IMPORT_S, for each that hangs; what comes of it later
        is taken the next time. Walks all installed distributions: not often."""
        importlib.invalidate_caches()
        found, faults = _installed(self._only)
        tries: dict[str, Callable[[], Plugin]] = {}
        for name in sorted(found):
            tries[name] = partial(self._imported, found[name], self._import_s if wait_s is None else wait_s)
        for name, given in self._extra.items():
            tries[name] = partial(_plugin, name, str(getattr(given, "__version__", UNVERSIONED)), given)
        known = {name: plugin for name, plugin in self._loaded.items() if name in tries}
        self._loaded = {}
        for name, attempt in tries.items():
            try:
                plugin = known.get(name) or attempt()
                catalogue_of(one for other in (*self._loaded.values(), plugin) for one in other.registered())
                self._loaded[name] = plugin
            except PluginError as error:
                faults[name] = str(error).removeprefix(f"plugin {name!r}: ")
            except Exception as error:  # noqa: BLE001 - what a trigger is made of may be code of the plugin's own
                faults[name] = described(error)
        return Loaded(list(self._loaded.values()), faults)

    def _imported(self, entry: EntryPoint, wait_s: float) -> Plugin:
        attempt = self._attempts.get(entry.name)
        if attempt is None:
            attempt = self._attempts[entry.name] = _Attempt(entry, self._timer)
        if attempt.is_over(wait_s):
            del self._attempts[entry.name]
            return attempt.plugin()
        if self._timer() - attempt.began < self._import_s:
            raise PluginError(f"{entry.value} is being imported")
        raise PluginError(f"{entry.value} is not imported after {self._import_s:g} s (IMPORT_S){attempt.place()}")


def load_plugins(only: Sequence[str] | None = None, extra: Mapping[str, object] | None = None) -> Plugins:
    """Those that installed distributions offer (*only*: of these names), and *extra* by name. For who wants all or
    nothing: PluginError names the first that cannot be loaded."""
    loaded = Loader(only, extra).load()
    for name, fault in sorted(loaded.faults.items()):
        raise PluginError(f"plugin {name!r}: {fault}")
    return Plugins(loaded.plugins)


class _Attempt:
    """One attempt to import a plugin, and to ask it for its triggers, in a thread that may never come back."""

    def __init__(self, entry: EntryPoint, timer: Callable[[], float]) -> None:
        self._entry, self.began = entry, timer()
        self._outcome: Plugin | PluginError = PluginError("nothing came of it")
        self._thread = threading.Thread(target=self._run, name=f"plugin {entry.name}", daemon=True)
        self._thread.start()

    def is_over(self, wait_s: float) -> bool:
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def plugin(self) -> Plugin:
        """What came of it; PluginError says why nothing did."""
        if isinstance(self._outcome, PluginError):
            raise self._outcome
        return self._outcome

    def place(self) -> str:
        """Where it stands, as the end of a sentence."""
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001 - the way to see a thread's stack
        return place(frame, self._package)

    @property
    def _package(self) -> str:
        return self._entry.module.partition(".")[0]

    def _run(self) -> None:
        before = set(sys.modules)
        version = self._entry.dist.version if self._entry.dist is not None else UNVERSIONED
        try:
            self._outcome = _plugin(self._entry.name, version, self._imported())
        except PluginError as error:
            self._outcome = error
            # So that the next attempt takes all of it anew, and not what an older version left behind.
            for module in set(sys.modules) - before:
                if is_of(module, self._package):
                    del sys.modules[module]

    def _imported(self) -> object:
        try:
            return self._entry.load()
        except BaseException as error:  # noqa: BLE001 - the plugin's own code: anything may come, even the wish to exit
            raise PluginError(f"{self._entry.value} cannot be imported: {described(error)}") from None


def _installed(only: Sequence[str] | None) -> tuple[dict[str, EntryPoint], dict[str, str]]:
    found: dict[str, EntryPoint] = {}
    faults: dict[str, str] = {}
    for entry in entry_points(group=GROUP):
        if only is not None and entry.name not in only:
            continue
        twin = found.setdefault(entry.name, entry)
        if twin is not entry:
            # In their order, so that the order of the machine's folders says nothing.
            values = " and ".join(sorted((twin.value, entry.value)))
            faults[entry.name] = f"two distributions offer one: {values}"
    for name in only or ():
        if name not in found:
            faults[name] = f"no installed distribution offers it (entry-point group {GROUP!r})"
    return {name: entry for name, entry in found.items() if name not in faults}, faults


def _plugin(name: str, version: str, plugin: object) -> Plugin:
    """The hooks that a plugin implements, and its triggers; PluginError when it cannot work."""
    # One manager for each: nothing that one of them is can stand in the way of another.
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, name=name)
        manager.check_pending()
    except Exception as error:  # noqa: BLE001 - looking at a plugin may run its own code, too
        raise PluginError(described(error)) from None
    hooks: dict[str, Hook] = {}
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if caller.name in hooks:
                raise PluginError(f"implements {caller.name} twice")
            hooks[caller.name] = _bound(caller.name, implementation)
    if not hooks:
        raise PluginError("implements no hook; each needs @hookimpl")
    if "register_triggers" in hooks and "read_event" not in hooks:
        raise PluginError("registers triggers and has no read_event for them")
    in_order = {hook: hooks[hook] for hook in HOOKS if hook in hooks}
    return Plugin(name, version, in_order, _triggers(hooks.get("register_triggers")))


def _bound(hook: str, implementation: pluggy.HookImpl) -> Hook:
    """The implementation by itself: pluggy would call everybody's, and let one's exception end the others' calls."""
    function, wanted = implementation.function, implementation.argnames
    if implementation.wrapper or implementation.hookwrapper:
        raise PluginError(f"{hook} is a wrapper; each plugin is asked by itself")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise PluginError(f"{hook} is asynchronous or a generator; it must return a sequence")
    return lambda **given: function(*[given[argument] for argument in wanted])


def _triggers(hook: Hook | None) -> Sequence[Trigger]:
    if hook is None:
        return ()
    try:
        triggers = tuple(hook())
    except BaseException as error:  # noqa: BLE001 - the plugin's own code: anything may come, even the wish to exit
        raise PluginError(f"register_triggers failed: {described(error)}") from None
    for trigger in triggers:
        if not isinstance(trigger, Trigger):
            raise PluginError(f"registers {type(trigger).__name__}, not a Trigger")
    return triggers
