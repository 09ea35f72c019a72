"""All loaded plugins: what they say of events, of who may know of them, and whether they can be asked just now."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import cast

import msgspec

from core.asking import UNASKED, Asker, Fault, Plugin, Unasked
from core.catalogue import Catalogue, catalogue_of
from core.conduct import Conduct
from core.errors import OverloadedError
from core.limits import PLUGIN_AGAIN_S, PLUGIN_NOTE_S
from core.readings import described, reading_fault
from core.trigger import Directory, Owner, PortalEvent, Reading, Unreadable

Pair = tuple[Owner, PortalEvent]


class Spoiled(msgspec.Struct, frozen=True):
    """An event its plugin failed on: recorded with the fault, delivered to nobody, and can be read again."""

    plugin: str
    version: str
    fault: str


Outcome = Reading | Unreadable | Spoiled | Unasked
"""What became of one event."""


def versions_of(plugins: Sequence[Plugin]) -> dict[str, str]:
    """Name → version, by name."""
    return {plugin.name: plugin.version for plugin in sorted(plugins, key=lambda plugin: plugin.name)}


class Plugins:
    """All loaded plugins. What they are given is theirs to read: batches are tuples, so that none can drop an event
    for another, but `data` is the decoded JSON itself and not a copy. The ledger keeps the bytes as sent, so a plugin
    that writes into it spoils its own reading only; that none does is for tests to show."""

    def __init__(
        self,
        plugins: Sequence[Plugin],
        faults: Mapping[str, str] | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.asker = Asker(timer)
        self.triggers: Catalogue = {}
        self.take(plugins, faults or {})

    def take(self, plugins: Sequence[Plugin], faults: Mapping[str, str]) -> None:
        """These are all plugins from here on; *faults* says why others could not be loaded, by name."""
        self.triggers = catalogue_of(entry for plugin in plugins for entry in plugin.registered())
        self.faults = dict(faults)
        self._plugins = {plugin.name: plugin for plugin in plugins}
        self._judges = [plugin for plugin in plugins if "can_see" in plugin.hooks]
        self.has_can_see = bool(self._judges)
        """False: nobody has a say, and `can_see` need not be called."""
        for name in self._plugins:
            self.asker.conduct.setdefault(name, Conduct(name))

    @property
    def is_troubled(self) -> bool:
        """Whether there is anything that `check` may refuse."""
        return bool(self.faults) or self.asker.rested

    def __iter__(self) -> Iterator[tuple[Plugin, Conduct]]:
        """All loaded plugins by name, and how they have behaved."""
        return ((self._plugins[name], self.asker.conduct[name]) for name in sorted(self._plugins))

    def versions(self) -> dict[str, str]:
        """Name → version, by name."""
        return versions_of(list(self._plugins.values()))

    def check(self, types: Collection[str]) -> None:
        """OverloadedError when events of *types* cannot be read just now, or nobody can say who may know of them.

        A plugin that is not there may have a say about everything, and its types would be taken for unknown ones.
        """
        if self.faults:
            names = ", ".join(map(repr, sorted(self.faults)))
            raise OverloadedError(f"plugins that cannot be loaded: {names}", retry_after_s=PLUGIN_AGAIN_S)
        now = self.asker.timer()
        resting = [plugin for plugin, conduct in self if conduct.rests_until > now]
        self.asker.rested = bool(resting)
        for plugin in resting:
            if "can_see" in plugin.hooks or any(trigger.name in types for trigger in plugin.triggers):
                raise OverloadedError(
                    f"the plugin {plugin.name!r} hung, and is left alone for a while",
                    retry_after_s=int(self.asker.conduct[plugin.name].rests_until - now) + 1,
                    limit="HOOK_REST_S",
                )

    def reasons(self) -> list[str]:
        """Why no events are taken just now; empty when they are."""
        broken = [
            f"plugin {name!r} cannot be loaded, and until it is, or is uninstalled, no events are taken: {fault}"
            for name, fault in sorted(self.faults.items())
        ]
        return broken + [f"{said}, and it has a say about all events" for said in self._resting(judges=True)]

    def notes(self) -> list[str]:
        """What has gone wrong lately, although events are taken."""
        now = self.asker.timer()
        failed = [
            f"plugin {plugin.name!r} failed {conduct.faults} times, {now - conduct.fault_at:.0f} s ago the last time: "
            f"{conduct.fault}"
            for plugin, conduct in self
            if now - conduct.fault_at < PLUGIN_NOTE_S
        ]
        return failed + [f"{said}; its events are answered 503" for said in self._resting(judges=False)]

    def _resting(self, *, judges: bool) -> list[str]:
        now = self.asker.timer()
        return [
            f"plugin {plugin.name!r} hung, and is not asked for {conduct.rests_until - now:.0f} s more"
            for plugin, conduct in self
            if conduct.rests_until > now and ("can_see" in plugin.hooks) is judges
        ]

    def read(self, events: Sequence[PortalEvent], directory: Directory) -> list[Outcome]:
        """What each event means, in their order. All are of one tenant and of types in `triggers`; one that may change
        the directory comes alone."""
        outcomes: list[Outcome | None] = [None] * len(events)
        for name, places in self._by_plugin(events).items():
            batch = tuple(events[place] for place in places)
            for place, outcome in zip(places, self._ask(self._plugins[name], batch, directory), strict=True):
                outcomes[place] = outcome
        return cast("list[Outcome]", outcomes)

    def can_see(self, pairs: Sequence[Pair], directory: Directory) -> list[bool] | None:
        """For each pair whether no plugin refuses; one that fails on a pair refuses it. None: one hung a moment ago
        and is not asked, so that nobody can say."""
        allowed = [True] * len(pairs)
        batch = tuple(pairs)
        for plugin in self._judges if batch else ():
            answers = self.asker.answers(plugin, "can_see", "pairs", batch, directory, _verdict_fault)
            if UNASKED in answers:
                return None
            allowed = [before and answer is True for before, answer in zip(allowed, answers, strict=True)]
        return allowed

    def spoiled(self, type: str, error: BaseException) -> Spoiled:
        """For a fault that shows only later: a payload that cannot be written as JSON."""
        _, plugin, version = self.triggers[type]
        fault = described(error)
        self.asker.conduct[plugin].failed("read_event", fault, 1, self.asker.timer())
        return Spoiled(plugin, version, fault)

    def _by_plugin(self, events: Sequence[PortalEvent]) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, event in enumerate(events):
            places.setdefault(self.triggers[event.type].plugin, []).append(place)
        return places

    def _ask(self, plugin: Plugin, events: tuple[PortalEvent, ...], directory: Directory) -> Iterator[Outcome]:
        def fault_of(event: PortalEvent, answer: object) -> str | None:
            return reading_fault(answer, triggers[event.type].trigger.changes_directory)

        triggers = self.triggers
        for answer in self.asker.answers(plugin, "read_event", "events", events, directory, fault_of):
            if type(answer) is Fault:
                yield Spoiled(plugin.name, plugin.version, answer.text)
            else:
                yield cast("Outcome", answer)


def _verdict_fault(_: Pair, answer: object) -> str | None:
    return None if isinstance(answer, bool) else f"answered {type(answer).__name__}, not bool"
