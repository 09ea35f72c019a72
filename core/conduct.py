"""How a plugin has behaved since the start: its faults, its slow hooks, and whether it is left alone for a while."""

from __future__ import annotations

from core.limits import HOOK_REST_S, HOOK_SLOW_S, PLUGIN_LOG_S
from core.log import Log

log = Log("plugins")

NEVER = float("-inf")


class Conduct:
    """Of one plugin. Times are seconds of the timer that the hooks are measured with."""

    __slots__ = (
        "_said_failed_at",
        "_said_slow_at",
        "_unsaid",
        "fault",
        "fault_at",
        "faults",
        "name",
        "rests_until",
        "slow",
        "slowest_s",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults = self.slow = self._unsaid = 0
        self.slowest_s = 0.0
        self.fault: str | None = None
        """The newest one; `fault_at` says when it was."""
        self.fault_at = self.rests_until = self._said_failed_at = self._said_slow_at = NEVER

    def failed(self, hook: str, text: str, count: int, now: float) -> None:
        """A hook raised, or answered what is none, for so many events or pairs; or it was interrupted."""
        self.faults += count
        self._unsaid += count
        self.fault, self.fault_at = f"{hook}: {text}", now
        if now - self._said_failed_at >= PLUGIN_LOG_S:
            new, self._unsaid, self._said_failed_at = self._unsaid, 0, now
            log.say("plugin.failed", plugin=self.name, hook=hook, new=new, faults=self.faults, error=text)

    def took(self, hook: str, seconds: float, items: int, now: float) -> None:
        """A hook took longer than HOOK_SLOW_S for a batch of so many."""
        self.slow += 1
        self.slowest_s = max(self.slowest_s, seconds)
        if now - self._said_slow_at >= PLUGIN_LOG_S:
            self._said_slow_at = now
            log.say("plugin.slow", plugin=self.name, hook=hook, took_s=seconds, items=items, slow_s=HOOK_SLOW_S)

    def rest(self, hook: str, text: str, now: float) -> None:
        """Its hook was interrupted, and the next call would most likely hang as well."""
        self.rests_until = now + HOOK_REST_S
        log.say("plugin.hung", plugin=self.name, hook=hook, error=text, rest_s=HOOK_REST_S)
