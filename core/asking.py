"""Asks plugins about batches, and contains what goes wrong: one that raises, answers garbage, or hangs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from core.catalogue import RegisteredTrigger
from core.conduct import Conduct
from core.hook_guard import HookGuard, HookOverdueError
from core.limits import HOOK_SLOW_S, HUNG_EVENTS_MAX
from core.readings import described
from core.trigger import Directory, PortalEvent, Trigger

Item = TypeVar("Item")
Hook = Callable[..., Any]
"""An implementation; called by keyword, it picks the arguments it names."""


class Plugin(NamedTuple):
    """One plugin, the hooks it implements, and the triggers it registered."""

    name: str
    version: str
    hooks: Mapping[str, Hook]
    triggers: Sequence[Trigger] = ()

    def registered(self) -> Iterator[RegisteredTrigger]:
        return (RegisteredTrigger(trigger, self.name, self.version) for trigger in self.triggers)


class Fault(NamedTuple):
    """Stands where an answer should be. `hung`: the hook was interrupted."""

    text: str
    hung: bool = False


class Unasked(msgspec.Struct, frozen=True):
    """Stands where a plugin was not asked, because it hung over something before."""


UNASKED = Unasked()


class Asker:
    """Asks plugins, one batch at a time, and knows how each has behaved."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self.timer = timer
        self.guard: HookGuard | None = None
        """Interrupts hooks that hang, where there is one."""
        self.conduct: dict[str, Conduct] = {}
        self.rested = False
        """Whether somebody may be left alone just now."""
        self._hung: dict[tuple[str, str, str, str], Fault] = {}
        """By plugin, hook, tenant and event: over what a hook hung."""

    def answers(
        self,
        plugin: Plugin,
        hook: str,
        argument: str,
        items: tuple[Item, ...],
        directory: Directory,
        fault_of: Callable[[Item, object], str | None],
    ) -> Sequence[object]:
        """One answer, or Fault, or UNASKED, for each item."""
        if not self._hung and not self.rested:
            return self._asked(plugin, hook, argument, items, directory, fault_of)
        # Nobody is asked twice over what they hung; nobody who rests is asked at all.
        known = [self._hung.get((plugin.name, hook, *_id_of(item))) for item in items]
        others = tuple(item for item, fault in zip(items, known, strict=True) if fault is None)
        if self.conduct[plugin.name].rests_until > self.timer():
            answers: Iterator[object] = iter([UNASKED] * len(others))
        else:
            answers = iter(self._asked(plugin, hook, argument, others, directory, fault_of) if others else ())
        return [next(answers) if fault is None else fault for fault in known]

    def _asked(
        self,
        plugin: Plugin,
        hook: str,
        argument: str,
        items: tuple[Item, ...],
        directory: Directory,
        fault_of: Callable[[Item, object], str | None],
    ) -> Sequence[object]:
        """Where the batch goes wrong, items are asked for one by one. The first that hangs alone too is the last that
        is asked for."""
        answers = self._once(plugin, hook, argument, items, directory, fault_of)
        if type(answers) is not Fault:
            return answers
        alone: list[object] = [answers]
        if len(items) > 1 or answers.hung:
            alone = []
            for item in items:
                answer = self._once(plugin, hook, argument, (item,), directory, fault_of)
                alone.append(answer if type(answer) is Fault else answer[0])
                if type(answer) is Fault and answer.hung:
                    self._rest(plugin, hook, item, answer)
                    break
        faults = [answer for answer in alone if type(answer) is Fault]
        if faults:
            self.conduct[plugin.name].failed(hook, faults[-1].text, len(faults), self.timer())
        return alone + [UNASKED] * (len(items) - len(alone))

    def _rest(self, plugin: Plugin, hook: str, item: object, fault: Fault) -> None:
        self.conduct[plugin.name].rest(hook, fault.text, self.timer())
        self.rested = True
        # A portal that was refused sends it again, with what came after it.
        self._hung[plugin.name, hook, *_id_of(item)] = fault
        if len(self._hung) > HUNG_EVENTS_MAX:
            del self._hung[next(iter(self._hung))]

    def _once(
        self,
        plugin: Plugin,
        hook: str,
        argument: str,
        items: tuple[Item, ...],
        directory: Directory,
        fault_of: Callable[[Item, object], str | None],
    ) -> Sequence[object] | Fault:
        started = self.timer()
        try:
            return self._guarded(plugin.hooks[hook], {argument: items, "directory": directory}, items, fault_of)
        except HookOverdueError as error:
            return Fault(str(error), hung=True)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the plugin's own code: anything may come, even the wish to exit
            return Fault(described(error))
        finally:
            now = self.timer()
            if now - started > HOOK_SLOW_S:
                self.conduct[plugin.name].took(hook, now - started, len(items), now)

    def _guarded(
        self,
        hook: Hook,
        given: Mapping[str, object],
        items: tuple[Item, ...],
        fault_of: Callable[[Item, object], str | None],
    ) -> Sequence[object] | Fault:
        guard = self.guard
        if guard is not None:
            guard.begin(self.timer())
        try:
            answers = hook(**given)
            # Looking at them may run the plugin's code as well.
            fault = _batch_fault(answers, items, fault_of)
            return Fault(fault) if fault is not None else tuple(answers)
        finally:
            if guard is not None:
                guard.end()


def _id_of(item: Any) -> tuple[str, str]:
    """Of which event an item is: itself, or the second of a pair."""
    event: PortalEvent = item if type(item) is PortalEvent else item[1]
    return event.tenant, event.id


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
