"""Each test has a data directory of its own, and no process outlives it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.office import Office
from tests.end_to_end.conftest import _place, _receiver  # noqa: F401 -- fixtures: pytest finds them by being here
from tests.faults.live import Mailbox
from tests.faults.patient import Past, Patient


@pytest.fixture(name="mailbox")
async def _mailbox():
    async with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture(name="patient")
async def _patient(tmp_path):
    patient = Patient(tmp_path)
    await patient.receiver.open()
    yield patient
    await patient.close()


@pytest.fixture(scope="session", name="past")
def _past(tmp_path_factory) -> Past:
    """A ledger of some hundred pages, closed in order: made once, and copied for each test that wants one."""

    async def made() -> Past:
        patient = Patient(tmp_path_factory.mktemp("past"))
        await patient.receiver.open()
        try:
            await patient.prepare()
            await patient.serve()
            for _ in range(4):
                await patient.accept(100)
            await patient.all_delivered()
            await patient.stop()
            await switch_off_webhooks(patient.data)
        finally:
            await patient.close()
        return Past(patient.data, patient.token, patient.acknowledged)

    return asyncio.run(made())


async def switch_off_webhooks(data: Path) -> None:
    office = Office(data, environment={}, check_url=lambda url, ssl: None)
    await office.start()
    for known in list(office.directory.webhooks.values()):
        await office.webhooks.switch(known.number, enabled=False, by=None)
    await office.close()
