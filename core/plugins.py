"""Finds plugins, calls them in batches, and contains their faults."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
import pluggy

from core import hookspecs
from core.catalogue import Catalogue, RegisteredTrigger, catalogue_of
from core.errors import PluginError
from core.readings import described, reading_fault
from core.trigger import Directory, Owner, PortalEvent, Reading, Trigger, Unreadable

GROUP = "hookledger"
"""The entry-point group plugins are found by."""

UNVERSIONED = "0"
"""The version of what comes from no distribution and names none itself."""

Item = TypeVar("Item")
Pair = tuple[Owner, PortalEvent]
Hook = Callable[..., Any]
"""An implementation; called by keyword, it picks the arguments it names."""

logger = logging.getLogger(__name__)


class Spoiled(msgspec.Struct, frozen=True):
    """An event its plugin failed on: recorded with the fault, delivered to nobody, and can be read again."""

    plugin: str
    version: str
    fault: str


Outcome = Reading | Unreadable | Spoiled
"""What became of one event."""


class Fault(NamedTuple):
    """Stands where an answer should be."""

    text: str


class Plugin(NamedTuple):
    """One plugin and the hooks it implements."""

    name: str
    version: str
    hooks: Mapping[str, Hook]


class Plugins:
    """All loaded plugins. What they are given is theirs to read: batches are tuples, so that none can drop an event
    for another, but `data` is the decoded JSON itself and not a copy. The ledger keeps the bytes as sent, so a plugin
    that writes into it spoils its own reading only; that none does is for tests to show."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.triggers: Catalogue = catalogue_of(entry for plugin in plugins for entry in _registered(plugin))
        self._plugins = {plugin.name: plugin for plugin in plugins}
        self._judges = [plugin for plugin in plugins if "can_see" in plugin.hooks]
        self.has_can_see = bool(self._judges)
        """False: nobody has a say, and `can_see` need not be called."""

    def versions(self) -> dict[str, str]:
        """Name → version, by name."""
        return {name: self._plugins[name].version for name in sorted(self._plugins)}

    def read(self, events: Sequence[PortalEvent], directory: Directory) -> list[Outcome]:
        """What each event means, in their order. All are of one tenant and of types in `triggers`; one that may change
        the directory comes alone."""
        outcomes: list[Outcome | None] = [None] * len(events)
        for name, places in self._by_plugin(events).items():
            batch = tuple(events[place] for place in places)
            for place, outcome in zip(places, self._ask(self._plugins[name], batch, directory), strict=True):
                outcomes[place] = outcome
        return cast("list[Outcome]", outcomes)

    def can_see(self, pairs: Sequence[Pair], directory: Directory) -> list[bool]:
        """For each pair whether no plugin refuses; one that fails on a pair refuses it."""
        allowed = [True] * len(pairs)
        batch = tuple(pairs)
        for plugin in self._judges if batch else ():
            answers = _answers(plugin.hooks["can_see"], "pairs", batch, directory, _verdict_fault)
            faults = [answer.text for answer in answers if isinstance(answer, Fault)]
            if faults:
                logger.warning("plugin %r refuses %d of %d pairs: %s", plugin.name, len(faults), len(pairs), faults[0])
            allowed = [before and answer is True for before, answer in zip(allowed, answers, strict=True)]
        return allowed

    def spoiled(self, type: str, error: Exception) -> Spoiled:
        """For a fault that shows only later: a payload that cannot be written as JSON."""
        _, plugin, version = self.triggers[type]
        return Spoiled(plugin, version, described(error))

    def _by_plugin(self, events: Sequence[PortalEvent]) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, event in enumerate(events):
            places.setdefault(self.triggers[event.type].plugin, []).append(place)
        return places

    def _ask(self, plugin: Plugin, events: tuple[PortalEvent, ...], directory: Directory) -> Iterator[Outcome]:
        def fault_of(event: PortalEvent, answer: object) -> str | None:
            return reading_fault(answer, triggers[event.type].trigger.changes_directory)

        triggers = self.triggers
        answers = _answers(plugin.hooks["read_event"], "events", events, directory, fault_of)
        for answer in answers:
            if isinstance(answer, Fault):
                yield Spoiled(plugin.name, plugin.version, answer.text)
            else:
                yield cast("Reading | Unreadable", answer)


def load_plugins(only: Sequence[str] | None = None, extra: Mapping[str, object] | None = None) -> Plugins:
    """Those that installed distributions offer (`only`: of these names), and `extra` by name; PluginError names the
    first that cannot be loaded. Walks all installed distributions: call it once."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = []
    for entry in _installed(only):
        version = entry.dist.version if entry.dist is not None else UNVERSIONED
        plugins.append(_register(manager, entry.name, version, _imported(entry)))
    for name, plugin in (extra or {}).items():
        plugins.append(_register(manager, name, str(getattr(plugin, "__version__", UNVERSIONED)), plugin))
    return Plugins(plugins)


def _installed(only: Sequence[str] | None) -> list[EntryPoint]:
    """By name, so that the order of the machine's folders decides nothing."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if only is not None and entry.name not in only:
            continue
        twin = found.setdefault(entry.name, entry)
        if twin is not entry:
            raise PluginError(f"plugin {entry.name!r}: two distributions offer one: {twin.value} and {entry.value}")
    for name in only or ():
        if name not in found:
            raise PluginError(f"plugin {name!r}: no installed distribution offers it (entry-point group {GROUP!r})")
    return [found[name] for name in sorted(found)]


def _imported(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:  # an import runs the plugin's own code: anything may come
        raise PluginError(f"plugin {entry.name!r}: {entry.value} cannot be imported: {described(error)}") from error


def _register(manager: pluggy.PluginManager, name: str, version: str, plugin: object) -> Plugin:
    try:
        manager.register(plugin, name=name)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        raise PluginError(f"plugin {name!r}: {described(error)}") from error
    hooks: dict[str, Hook] = {}
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if implementation.plugin is plugin:
                if caller.name in hooks:
                    raise PluginError(f"plugin {name!r}: implements {caller.name} twice")
                hooks[caller.name] = _bound(name, caller.name, implementation)
    if not hooks:
        raise PluginError(f"plugin {name!r}: implements no hook; each needs @hookimpl")
    if "register_triggers" in hooks and "read_event" not in hooks:
        raise PluginError(f"plugin {name!r}: registers triggers and has no read_event for them")
    return Plugin(name, version, hooks)


def _bound(name: str, hook: str, implementation: pluggy.HookImpl) -> Hook:
    """The implementation by itself: pluggy would call everybody's, and let one's exception end the others' calls."""
    function, wanted = implementation.function, implementation.argnames
    if implementation.wrapper or implementation.hookwrapper:
        raise PluginError(f"plugin {name!r}: {hook} is a wrapper; each plugin is asked by itself")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise PluginError(f"plugin {name!r}: {hook} is asynchronous or a generator; it must return a sequence")
    return lambda **given: function(*[given[argument] for argument in wanted])


def _registered(plugin: Plugin) -> list[RegisteredTrigger]:
    hook = plugin.hooks.get("register_triggers")
    if hook is None:
        return []
    try:
        triggers = list(hook())
    except Exception as error:  # the plugin's own code: anything may come
        raise PluginError(f"plugin {plugin.name!r}: register_triggers failed: {described(error)}") from error
    for trigger in triggers:
        if not isinstance(trigger, Trigger):
            raise PluginError(f"plugin {plugin.name!r}: registers {type(trigger).__name__}, not a Trigger")
    return [RegisteredTrigger(trigger, plugin.name, plugin.version) for trigger in triggers]


def _answers(
    hook: Hook,
    argument: str,
    items: tuple[Item, ...],
    directory: Directory,
    fault_of: Callable[[Item, object], str | None],
) -> Sequence[object]:
    """One answer, or Fault, for each item: where the batch goes wrong, they are asked for one by one."""
    try:
        answers = hook(**{argument: items}, directory=directory)
        fault = _batch_fault(answers, items, fault_of)
        if fault is None:
            return tuple(answers)
    except Exception as error:  # noqa: BLE001 - the plugin's own code: anything may come, and must not stop the others
        fault = described(error)
    if len(items) == 1:
        return (Fault(fault),)
    return [_answers(hook, argument, (item,), directory, fault_of)[0] for item in items]


def _batch_fault(
    answers: object, items: tuple[Item, ...], fault_of: Callable[[Item, object], str | None]
) -> str | None:
    if not isinstance(answers, Sequence):
        return f"answered {type(answers).__name__}, not a sequence"
    if len(answers) != len(items):
        return f"answered {len(answers)} times to {len(items)}"
    for item, answer in zip(items, answers, strict=True):
        fault = fault_of(item, answer)
        if fault is not None:
            return fault
    return None


def _verdict_fault(_: Pair, answer: object) -> str | None:
    return None if isinstance(answer, bool) else f"answered {type(answer).__name__}, not bool"
