"""Each test has a data directory of its own, and a receiver; no process outlives it."""

from __future__ import annotations

import pytest
from aiohttp import web

from tests.end_to_end.place import Place, Receiver


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
