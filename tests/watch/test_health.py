"""`/health/live` and `/health/ready`: two answers for programs, each with what is the matter."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from core.web import app
from delivery.sender import Answered
from tests.delivery.outbox.jobs import let_run
from tests.delivery.outbox.stage import OK, Stage
from tests.watch.readings import scrape


async def asked(client: TestClient, path: str) -> tuple[int, object, str | None]:
    answer = await client.get(path)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status, await answer.json(), answer.headers.get("Retry-After")


@pytest.fixture(name="stage")
async def _stage(tmp_path):
    return Stage(tmp_path / "data")


@pytest.fixture(name="client")
async def _client(stage):
    application = app.build(stage.service.office, stage.service.readiness)
    async with TestClient(TestServer(application, host="127.0.0.1")) as client:
        yield client


async def test_a_life_from_starting_to_stopping(stage, client):
    """It is alive all the time; ready between its start and its stop, and says before and after why it is not."""
    assert await asked(client, "/health/live") == (200, {"live": True}, None)
    status, told, retry = await asked(client, "/health/ready")
    assert (status, told["ready"], retry) == (503, False, "1")
    assert told["reasons"][0].startswith("starting: ")
    await stage.service.start()
    assert await asked(client, "/health/ready") == (200, {"ready": True}, None)
    go_on = asyncio.Event()

    async def hang() -> Answered:
        await go_on.wait()
        return OK

    stage.sender.answer = lambda _url, _body: hang()
    await stage.webhook("hangs")
    await stage.event("e1")
    await stage.quiet()
    stopping = asyncio.create_task(stage.service.stop())
    await let_run()
    status, told, _ = await asked(client, "/health/ready")
    assert (status, [reason.partition(":")[0] for reason in told["reasons"]]) == (503, ["stopping"])
    assert await asked(client, "/health/live") == (200, {"live": True}, None)
    go_on.set()
    await stopping


async def test_a_fault_is_a_reason_until_it_is_gone(stage, client):
    """What the ledger or a view cannot do is said with what is known of it; as a metric, only the words that stay."""
    await stage.service.start()
    office = stage.service.office
    office.writer.health.fault = "OperationalError: database or disk is full"
    office.followers[0].fault = "OperationalError: unable to open database file"
    status, told, retry = await asked(client, "/health/ready")
    assert (status, retry) == (503, "1")
    assert told["reasons"] == [
        "the ledger cannot write: OperationalError: database or disk is full",
        "the view history/2 is not kept up: OperationalError: unable to open database file",
    ]
    shown = await scrape(str(client.make_url("/")))
    assert shown("hookledger_ready") == 0
    reasons = {("the ledger cannot write",): 1, ("the view history/2 is not kept up",): 1}
    assert shown.by_labels("hookledger_not_ready") == reasons
    office.writer.health.fault = office.followers[0].fault = None
    assert await asked(client, "/health/ready") == (200, {"ready": True}, None)
    await stage.service.stop()
