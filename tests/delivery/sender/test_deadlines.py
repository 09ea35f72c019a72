"""Many waits of one length, one timer."""

from __future__ import annotations

import asyncio

from delivery.deadlines import Deadlines


async def test_each_item_expires_in_its_time_and_order():
    """What is not dropped expires after the delay, the oldest first, none early."""
    loop = asyncio.get_running_loop()
    expired: list[tuple[int, float]] = []
    over = asyncio.Event()

    def ended(item: int) -> None:
        expired.append((item, loop.time()))
        if item == 9:
            over.set()

    deadlines: Deadlines[int] = Deadlines(loop, 0.1, ended)
    ends = {item: deadlines.add(item) for item in range(5)}
    deadlines.drop(0)
    deadlines.drop(3)
    deadlines.drop(77)
    loop.call_later(0.05, lambda: ends.update({item: deadlines.add(item) for item in range(5, 10)}))
    await asyncio.wait_for(over.wait(), 5)
    assert [item for item, _ in expired] == [1, 2, 4, 5, 6, 7, 8, 9]
    assert all(at - ends[item] >= -0.002 for item, at in expired)
    assert len(deadlines) == 0


async def test_dropping_leaves_nothing():
    """Items that are dropped are forgotten at once, and do not keep the timer going."""
    expired: list[int] = []
    deadlines: Deadlines[int] = Deadlines(asyncio.get_running_loop(), 0.01, expired.append)
    for item in range(1_000):
        deadlines.add(item)
        deadlines.drop(item)
        assert len(deadlines) == 0
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.05, over.set_result, None)
    await over
    assert deadlines._timer is None
    assert expired == []


async def test_stopping_forgets_all():
    """After stop nothing expires, and new items do again."""
    expired: list[int] = []
    over = asyncio.Event()
    deadlines: Deadlines[int] = Deadlines(
        asyncio.get_running_loop(), 0.01, lambda item: (expired.append(item), over.set())
    )
    deadlines.add(1)
    deadlines.stop()
    deadlines.add(2)
    await asyncio.wait_for(over.wait(), 5)
    assert expired == [2]
