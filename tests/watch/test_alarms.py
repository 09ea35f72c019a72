"""Alarms ring on every event loop, whether their time is to come or past, and how late they rang is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from core.alarms import LoopAlarms
from core.clock import SystemClock


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("wait_ms", [-5_000, 0, 20])
def test_rings(new_loop: Callable[[], asyncio.AbstractEventLoop], wait_ms: int) -> None:
    """uvloop knows no time of what it calls at once: an alarm that asked for it never rang, and due rows stayed."""

    async def ring() -> None:
        clock, rang = SystemClock(), asyncio.Event()
        alarms = LoopAlarms(clock)
        at_ms = clock.now_ms() + wait_ms
        alarms.at(at_ms, rang.set)
        async with asyncio.timeout(5):
            await rang.wait()
        assert clock.now_ms() >= at_ms
        assert sum(alarms.late_ms.counts) >= 1
        assert alarms.late_ms.total < 5_000

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(ring())
