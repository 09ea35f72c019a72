"""How a plugin has behaved since the start: its faults, its slow hooks, and whether it is left alone for a while."""

from __future__ import annotations

import logging

from core.limits import HOOK_REST_S, HOOK_SLOW_S, PLUGIN_LOG_S

log = logging.getLogger("hookledger.plugins")

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
            log.error("plugin %r: %s failed (%d new, %d since the start): %s", self.name, hook, new, self.faults, text)

    def took(self, hook: str, seconds: float, items: int, now: float) -> None:
        """A hook took longer than HOOK_SLOW_S for a batch of so many."""
        self.slow += 1
        self.slowest_s = max(self.slowest_s, seconds)
        if now - self._said_slow_at >= PLUGIN_LOG_S:
            self._said_slow_at = now
            log.warning(
                "plugin %r is slow: %s took %.1f s for %d, more than HOOK_SLOW_S (%g s); nothing else runs meanwhile",
                self.name,
                hook,
                seconds,
                items,
                HOOK_SLOW_S,
            )

    def rest(self, hook: str, text: str, now: float) -> None:
        """Its hook was interrupted, and the next call would most likely hang as well."""
        self.rests_until = now + HOOK_REST_S
        log.error(
            "plugin %r hung: %s %s; for %d s (HOOK_REST_S) it is not asked, and its events are answered 503",
            self.name,
            hook,
            text,
            HOOK_REST_S,
        )
