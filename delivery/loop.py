"""The event loop of every process of ours, uvloop where it exists; and what such a process asks of its machine."""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
from collections.abc import Coroutine
from importlib.util import find_spec
from typing import Any, TypeVar

Result = TypeVar("Result")

COLLECT_AFTER = (50_000, 10, 10)
"""Objects before the cyclic collector looks at the youngest, and how often at older ones. Little of what passes through
here is in a cycle; with Python's own numbers the collector took a tenth of the time under load
(docs/performance.md)."""

OPEN_FILES_MAX = 65_536
"""Connections are files; as many as the system lets us have, up to this."""


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run *main* to its end."""
    gc.set_threshold(*COLLECT_AFTER)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if find_spec("uvloop") is None or sys.implementation.name != "cpython":
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 -- it is not there on every system

    result: Result = uvloop.run(main)
    return result
