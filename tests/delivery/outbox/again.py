"""Asking for redeliveries, as operations do."""

from __future__ import annotations

from core.again import Again
from core.operations.redelivery import REDELIVER, Redeliver, Redelivered
from core.operations.selection import Selection
from tests.delivery.outbox.turned import BAD, Turned


async def redeliver(turned: Turned, *ids: int, ticket: str = "1", **said) -> list[Again]:
    asked = Redeliver(ids=ids, ticket=ticket, **said)
    return (await turned.finish(REDELIVER.run(turned.service.office, asked))).told


async def of_selection(turned: Turned, limit: int = 10_000, after: int = 0, **said) -> Redelivered:
    asked = Redeliver(selection=Selection(**said), limit=limit, after=after)
    return await turned.finish(REDELIVER.run(turned.service.office, asked))


async def failed(turned: Turned, count: int) -> tuple[int, list[int]]:
    """A webhook whose deliveries have all failed."""
    turned.schedule_s = ()
    await turned.stop()
    await turned.begin()
    turned.reply = lambda request: BAD
    number = await turned.webhook("mine")
    numbers = [await turned.event(f"e{n}") for n in range(count)]
    await turned.wait(1)
    return number, numbers
