"""Ends a hook that hangs: a signal interrupts it where it stands, and it fails like one that raises."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

from core.limits import HOOK_S

TICK_S = 1.0
"""How often it is looked whether a hook is late."""


class HookOverdueError(BaseException):
    """Raised inside a hook that took too long. Not an Exception, so that `except Exception` in a plugin lets it pass;
    a bare `except` that goes on does not, and what never comes back to Python cannot be interrupted at all."""


class HookGuard:
    """Looks every *tick_s*, as long as hooks are called, whether one of them takes longer than *hook_s*.

    A timer set for each call would cost more than most hooks take. For the main thread: signals arrive there.
    """

    def __init__(
        self, hook_s: float = HOOK_S, tick_s: float = TICK_S, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self._hook_s, self._tick_s, self._timer = hook_s, tick_s, timer
        self._since: float | None = None
        self._calls = self._calls_before = 0
        self._ticks = False
        signal.signal(signal.SIGALRM, self._tick)

    def begin(self, now: float) -> None:
        """A hook is called; *now* is the timer's."""
        self._calls += 1
        self._since = now
        if not self._ticks:
            self._ticks = True
            signal.setitimer(signal.ITIMER_REAL, self._tick_s, self._tick_s)

    def end(self) -> None:
        """It came back."""
        self._since = None

    def close(self) -> None:
        """No hook is called any more."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _tick(self, _: int, frame: FrameType | None) -> None:
        since = self._since
        if since is None:
            if self._calls == self._calls_before:
                self._ticks = False
                signal.setitimer(signal.ITIMER_REAL, 0)
            self._calls_before = self._calls
        elif self._timer() - since >= self._hook_s:
            # Once only: a second one might come when the hook has just ended, and hit us.
            self._since = None
            raise HookOverdueError(f"did not answer within {self._hook_s:g} s (HOOK_S){place(frame)}")


def place(frame: FrameType | None, package: str | None = None) -> str:
    """Where a plugin's code stands, as the end of a sentence: its innermost line in *package*, or in that of the
    function that we called."""
    theirs: list[FrameType] = []
    while frame is not None and not is_of(_module(frame), "core"):
        theirs.append(frame)
        frame = frame.f_back
    if not theirs:
        return ""
    package = package or _module(theirs[-1]).partition(".")[0]
    found = next((frame for frame in theirs if is_of(_module(frame), package)), theirs[0])
    return f", at line {found.f_lineno} of {_module(found)}"


def is_of(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))
