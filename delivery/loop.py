"""The event loop of every process of ours: uvloop where it exists, asyncio's own where not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from importlib.util import find_spec
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run *main* to its end."""
    if find_spec("uvloop") is None or sys.implementation.name != "cpython":
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 -- it is not there on every system

    result: Result = uvloop.run(main)
    return result
