"""What may go wrong, as one tree; each error says who sees it.

HookledgerError
├── InvalidInputError    the caller's words are off; 422 or 400, exit code 2
├── NotFoundError        what was named is not there; 404
├── NotAllowedError      the caller may not do this; 403
├── UnauthorizedError    the caller is not known; 401
├── ConflictError        somebody else changed it first; 409
├── OverloadedError      full or not able to write just now; 503 with Retry-After
├── LedgerError          the ledger on disk cannot be opened or read as it is
│   └── LedgerBusyError  another process holds the data directory
└── PluginError          a plugin cannot be loaded as it is; names the plugin

What a receiver does is never an error: it is an outcome, and it is recorded.
"""

from __future__ import annotations


class HookledgerError(Exception):
    """Whatever hookledger says no with; its text is one line that says what to do."""


class InvalidInputError(HookledgerError):
    """The caller's words are off; `limit` names the limit that was met, if one was."""

    def __init__(self, message: str, *, limit: str | None = None) -> None:
        super().__init__(message)
        self.limit = limit


class NotFoundError(HookledgerError):
    """What was named is not there."""


class NotAllowedError(HookledgerError):
    """The caller is known and may not do this."""


class UnauthorizedError(HookledgerError):
    """The caller is not known."""


class ConflictError(HookledgerError):
    """Somebody else changed it first; read it again and say it again."""


class OverloadedError(HookledgerError):
    """Not now: something is full, or the ledger cannot write; `limit` names what is full."""

    def __init__(self, message: str, *, retry_after_s: int = 1, limit: str | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.limit = limit


class LedgerError(HookledgerError):
    """The ledger on disk cannot be opened or read as it is."""


class LedgerBusyError(LedgerError):
    """Another process holds the data directory."""


class PluginError(HookledgerError):
    """A plugin cannot be loaded as it is."""


def error_named(name: str) -> type[HookledgerError]:
    """The error of the tree that has this name; HookledgerError for any other."""
    found = [HookledgerError]
    for kind in found:
        if kind.__name__ == name:
            return kind
        found += kind.__subclasses__()
    return HookledgerError
