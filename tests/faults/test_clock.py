"""The machine's clock jumps, back and ahead: said so, and every wait keeps its length."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from core.clock import SystemClock
from core.incoming import events_of
from core.operations import deliveries
from delivery.service import Service
from tests.end_to_end.place import LOOPBACK, a_portal_event

HOUR_MS = 3_600_000
DEADLINE_S = 20


class SetClock(SystemClock):
    """The machine's clock, if somebody had set it."""

    def __init__(self, by_ms: int = 0) -> None:
        self.by_ms = by_ms

    def now_ms(self) -> int:
        return super().now_ms() + self.by_ms


async def accept(service: Service, *ids: str) -> list[int]:
    """Events, accepted: the numbers of their deliveries."""
    sent = [a_portal_event(id, data={"id": 1, "title": id}) for id in ids]
    accepted = await service.office.intake.accept("1", events_of(json.dumps(sent).encode(), "1"), ("http", "test"))
    return [one.position + 1 for one in accepted]


async def until(service: Service, number: int, attempts: int) -> None:
    """Wait until so many attempts of a delivery are recorded."""
    reader = service.office.reader
    async with asyncio.timeout(DEADLINE_S):
        while len(reader.stream(reader.at([number])[number].stream)) <= attempts:
            await asyncio.get_running_loop().run_in_executor(None, int)


@pytest.mark.parametrize("by_ms", [-3 * HOUR_MS, 3 * HOUR_MS])
async def test_the_clock_jumps_while_the_service_runs(patient, caplog, by_ms):
    """A retry that is due in a second comes after a second, and not in hours or at once; the service stays ready."""
    await patient.prepare()
    clock = SetClock()
    service = Service(
        patient.data, environment={}, allow=[LOOPBACK], clock=clock, schedule_s=(1, 1, 1), jitter=lambda: 0.0
    )
    try:
        await service.start()
        patient.receiver.status = 500
        (number,) = await accept(service, "first")
        await until(service, number, 1)
        began = time.monotonic()
        clock.by_ms = by_ms
        patient.receiver.status = 200
        (another,) = await accept(service, "second")
        await until(service, another, 1)
        assert time.monotonic() - began < 10, "a first attempt waits for no clock"
        await until(service, number, 2)
        waited_s = time.monotonic() - began
        assert 0.9 < waited_s < DEADLINE_S
        assert service.readiness() == []
        way = "ahead" if by_ms > 0 else "back"
        said = [record.getMessage() for record in caplog.records if record.name == "hookledger.clock"]
        assert said == [f"the clock was set {way} by 10800.0 s: what waits for a retry keeps its wait"]
        assert service.office.clock_steps.count == 1
    finally:
        await service.stop()


async def test_serve_starts_on_a_ledger_of_the_future(patient):
    """What was accepted and tried while the clock was a year ahead goes out when it has been set right: first attempts
    at once, retries after what is left of their wait."""
    await patient.prepare()
    service = Service(
        patient.data, environment={}, allow=[LOOPBACK], clock=SetClock(365 * 24 * HOUR_MS), jitter=lambda: 0.0
    )
    await service.start()
    patient.receiver.status = 500
    (tried,) = await accept(service, "tried")
    await until(service, tried, 1)
    patient.receiver.answers.clear()
    waiting = await accept(service, *(f"waits {n}" for n in range(20)))
    await service.stop(0)
    patient.receiver.status = 200
    patient.receiver.answers.set()
    await patient.serve()
    began = time.monotonic()
    for number in waiting:
        await patient.place.until(number, "delivered")
    assert time.monotonic() - began < DEADLINE_S
    await patient.place.until(tried, "delivered")
    assert "the clock was set back by 3153" in patient.log
    assert (await patient.ready()).status == 200
    asked = deliveries.ListDeliveries(limit=100)
    listed = await patient.place.ask(deliveries.LIST, asked)
    assert {one.state for one in listed.deliveries} == {"delivered"}
    await patient.stop()
