"""Told to stop under load: what is under way is finished in time, the rest is said; none of it is lost or doubled."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import Counter

import aiohttp

from tests.end_to_end.place import ALLOW, DEADLINE_S, Place, Serving, a_portal_event

STOP_S = 2.0
SLOW_S = 0.8
BATCH = 20
LAST_LINE = re.compile(
    r"stopped: ([\d,]+) deliveries under way were finished, ([\d,]+) cut off and due again at the next start;"
    r" ([\d,]+) deliveries wait in the outbox"
)


class Portal:
    """Publishes as fast as it is answered, and remembers what was accepted."""

    def __init__(self, serving: Serving, token: str) -> None:
        self._url, self._headers = serving.url, {"Authorization": f"Bearer {token}"}
        self.deliveries: list[int] = []
        self.refused: list[tuple[str, str]] = []
        """What was said to a batch that was not taken: its detail, and what of the connection."""

    async def publish(self) -> None:
        """Until nobody listens."""
        with_id = 0
        try:
            async with aiohttp.ClientSession(self._url, headers=self._headers) as session:
                while True:
                    events = [a_portal_event(f"e{with_id + n}") for n in range(BATCH)]
                    async with session.post("/api/ledger/events", json=events) as answer:
                        said = await answer.json(content_type=None)
                        if answer.status == 503:
                            self.refused.append((said["detail"], answer.headers["Connection"]))
                            continue
                        assert answer.status == 200, said
                    with_id += BATCH
                    for event in said["events"]:
                        first = event["position"] + 1
                        self.deliveries += range(first, first + event["deliveries"])
        except aiohttp.ClientError:
            pass


async def numbers_waiting(place: Place) -> list[int]:
    views = sqlite3.connect(place.data / "views.sqlite")
    rows = views.execute("SELECT number FROM outbox_1").fetchall()
    views.close()
    return [number for (number,) in rows]


async def test_a_stop_under_load_loses_and_doubles_nothing(place, mailbox):
    """Under load, with receivers that are quick, slow, and hang: it stops in its time, finishes what can be, says what
    it cut off and what waits; the next start delivers that, and nothing else again."""
    mailbox.waits_s = {"/slow": SLOW_S, "/hang": 1_000.0}
    for path in ("/quick", "/slow", "/hang"):
        await place.webhook(f"http://127.0.0.1:{mailbox.port}{path}")
    token = await place.token()
    loop = asyncio.get_running_loop()
    serving = await place.serve(*ALLOW, "--stop-s", f"{STOP_S:g}")
    portal = Portal(serving, token)
    publishing = asyncio.create_task(portal.publish())
    async with asyncio.timeout(DEADLINE_S):
        while (
            not {"/quick", "/slow", "/hang"} <= {path for path, _, _ in mailbox.posts} or len(portal.deliveries) < 900
        ):
            async with aiohttp.ClientSession(serving.url) as session:
                assert (await session.get("/health/ready")).status == 200
        started = loop.time()
        serving.process.terminate()
        await serving.logs("serve.stopping")
        async with aiohttp.ClientSession(serving.url) as session:
            ready = await session.get("/health/ready")
            assert (ready.status, (await ready.json())["reasons"][0][:8]) == (503, "stopping")
            assert (await session.get("/health/live")).status == 200
        out, _ = await serving.process.communicate()
        assert serving.process.returncode == 0
        assert STOP_S * 0.9 < loop.time() - started < STOP_S + 5
        await publishing
    assert {connection for _, connection in portal.refused} == {"close"}
    assert all(detail.startswith("stopping") for detail, _ in portal.refused)
    finished, cut_off, waiting = (
        int(n.replace(",", "")) for n in LAST_LINE.match(out.decode().splitlines()[-1]).groups()
    )
    left = await numbers_waiting(place)
    assert waiting == len(left)
    before = Counter(mailbox.posts)
    assert set(before.values()) == {1}
    assert cut_off == len({number for path, number, _ in before if path == "/hang"})
    assert finished > 0

    mailbox.waits_s = {}
    again = await place.serve(*ALLOW, "--stop-s", "0")
    async with asyncio.timeout(3 * DEADLINE_S):
        while {number for _, number, _ in mailbox.posts} != set(portal.deliveries):
            async with aiohttp.ClientSession(again.url) as session:
                assert (await session.get("/health/ready")).status == 200
    assert await again.stop() == 0
    after = Counter(mailbox.posts)
    twice = {post for post, count in after.items() if count > 1}
    assert twice == {post for post in before if post[0] == "/hang"}
    assert set(after.values()) == {1, 2}
