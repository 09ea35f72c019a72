"""The event loop of every process of ours, uvloop where it exists; and what such a process asks of its machine."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Coroutine
from importlib.util import find_spec
from typing import Any, TypeVar

from delivery.files import take_files

Result = TypeVar("Result")

COLLECT_AFTER = (50_000, 10, 10)
"""Objects before the cyclic collector looks at the youngest, and how often at older ones. Little of what passes through
here is in a cycle; with Python's own numbers the collector took a tenth of the time under load
(docs/performance.md)."""


SWITCH_S = 0.001
"""How long the thread that commits waits for a busy loop to let it go on, once for each statement. With Python's own
5 ms, deliveries at half load took twice as long (docs/performance.md)."""


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run *main* to its end."""
    gc.set_threshold(*COLLECT_AFTER)
    sys.setswitchinterval(SWITCH_S)
    take_files()
    if find_spec("uvloop") is None or sys.implementation.name != "cpython":
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 -- it is not there on every system

    result: Result = uvloop.run(main)
    return result
