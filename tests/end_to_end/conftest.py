"""Each test has a data directory of its own, and a receiver; no process outlives it."""

from __future__ import annotations

import pytest
from aiohttp import web

from tests.end_to_end.crew import Crew, Letterbox
from tests.end_to_end.place import Place, Receiver
from tests.postgres import drop, new_database


@pytest.fixture(name="place")
async def _place(tmp_path):
    place = Place(tmp_path / "data")
    yield place
    await place.close()


@pytest.fixture(name="receiver")
async def _receiver():
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiver
    await runner.cleanup()


@pytest.fixture(name="crew")
async def _crew(tmp_path):
    box, database = Letterbox(), new_database()
    app = web.Application()
    app.router.add_post("/{path:.*}", box.hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    box.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    crew = Crew(tmp_path, database, box)
    yield crew
    for held in box.held.values():
        held.set()
    await crew.close()
    await runner.cleanup()
    drop(database)
