"""How many files this process may have open, and what its parts may take of them: connections are files."""

from __future__ import annotations

import resource
from typing import Final, NamedTuple

from core.errors import HookledgerError
from core.limits import CONNECTIONS_MAX, IDLE_LINES_MAX, OPEN_FILES_MAX, YOUNG_REQUESTS_MAX

KEPT: Final = 96
"""Files that no connection gets: some fifty of ledger and views with all readers at work, those of the loop, of names
and of commands, and some to spare."""

OPEN_FILES_MIN: Final = 128
"""With fewer there is no service."""

BACKLOG_MAX: Final = 128
"""What asyncio and aiohttp let wait."""

PER_REQUEST: Final = 2
"""While it connects, a request may try two addresses at once."""


class Shares(NamedTuple):
    """How many of each there may be, so that all together never open more files than there may be."""

    young_requests: int
    old_requests: int
    idle_lines: int
    connections: int
    backlog: int
    """Of connections that have come and are not counted yet."""


def shares(files: int, young_requests_max: int = YOUNG_REQUESTS_MAX) -> Shares:
    """Share out so many files. What is left goes to the requests that hang: they need the most."""
    room = files - KEPT
    young = min(young_requests_max, room // (4 * PER_REQUEST))
    idle = min(IDLE_LINES_MAX, room // 8)
    backlog = min(BACKLOG_MAX, room // 16)
    connections = min(CONNECTIONS_MAX, room // 4 - backlog)
    return Shares(young, (room - idle - connections - backlog) // PER_REQUEST - young, idle, connections, backlog)


def take_files() -> None:
    """Let this process have as many files as the system lets it, up to OPEN_FILES_MAX."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def open_files_max() -> int:
    """How many files this process may have open. HookledgerError: too few for a service."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft > OPEN_FILES_MAX:
        return OPEN_FILES_MAX
    if soft < OPEN_FILES_MIN:
        raise HookledgerError(
            f"this process may open {soft} files, and needs at least {OPEN_FILES_MIN}: raise it with `ulimit -n`"
        )
    return soft
