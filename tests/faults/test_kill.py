"""Whatever is killed, nothing acknowledged is lost: client, service and receiver in three processes, 30 SIGKILLs."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.ledger.unit import Recorded
from core.model.delivery import AttemptFailed, Cancelled, Created, Delivered, LateAttempt
from core.model.portal_event import Received
from core.model.topics import Codec

KILLS = 30
REBUILDS = 6
"""So many of the kills hit a rebuild."""
BATCH = 20
HERE = Path(__file__).parent
END_S = 25
"""How long after the last kill everything that is due at once, or at its first retry, has been delivered."""


class Epoch(NamedTuple):
    """What was known at a kill: how long the receiver's log was, and which attempts had a recorded outcome."""

    log_lines: int
    recorded: set[tuple[str, int]]


class Ledger:
    """The ledger's file, read from outside while nobody writes to it."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._position = 0
        self.events: list[Recorded] = []
        self.recorded: set[tuple[str, int]] = set()

    def read_on(self) -> None:
        if not (self._data / "ledger.sqlite").exists():
            return
        recorder = SqliteRecorder(self._data / "ledger.sqlite")
        reader = Reader(recorder, Codec())
        try:
            while events := reader.after(self._position, 10_000):
                self.events += events
                self._position = events[-1].position
                for recorded in events:
                    if isinstance(recorded.event, Delivered | AttemptFailed | LateAttempt):
                        self.recorded.add((recorded.stream.hex(), recorded.event.attempt.number))
        finally:
            recorder.close()


class World:
    """The three processes, and what each of them knows."""

    def __init__(self, tmp_path: Path, seed: int) -> None:
        self.data, self.log = tmp_path / "data", tmp_path / "received.log"
        self.log.touch()
        self.random = random.Random(seed)
        self.ledger = Ledger(self.data)
        self.epochs: list[Epoch] = []
        self.acknowledged: dict[str, int] = {}
        self._unacknowledged: list[dict] = []
        self._made = 0
        self.token = ""
        self._receiver: asyncio.subprocess.Process | None = None
        self._service: asyncio.subprocess.Process | None = None

    async def command(self, *args: str, kill_after_s: float | None = None) -> bytes:
        """Run a command; None kills it after a while."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hookledger", *args, "--data", str(self.data), stdout=asyncio.subprocess.PIPE
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), kill_after_s)
        except TimeoutError:
            process.kill()
            await process.wait()
            return b"killed"
        assert process.returncode == 0, args
        return output

    async def begin(self) -> None:
        self._receiver = await asyncio.create_subprocess_exec(
            sys.executable, str(HERE / "receiver.py"), str(self.log), stdout=asyncio.subprocess.PIPE
        )
        port = int(await self._receiver.stdout.readline())
        for path, triggers in (("all", []), ("files", ["--trigger", "file.updated"]), ("hang", [])):
            await self.command(
                "webhooks", "create", path, f"http://127.0.0.1:{port}/{path}", "--no-ssl", "--json", *triggers,
                "--allow-target", "127.0.0.0/8",
            )  # fmt: skip
        self.token = json.loads(await self.command("token", "create", "--role", "portal", "--json"))["token"]

    async def serve(self) -> int | None:
        """Start the service; its port, or None when it was killed before it said so."""
        self._service = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hookledger", "serve", "--data", str(self.data), "--port", "0",
            "--allow-target", "127.0.0.0/8",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        while line := await self._service.stdout.readline():
            if b"http://127.0.0.1:" in line:
                return int(line.split(b"http://127.0.0.1:")[1].split()[0].strip(b"/,.)"))
        return None

    async def publish(self, port: int) -> None:
        """Publish until the connection breaks; what was not acknowledged is sent again, with the same ids."""
        url, headers = f"http://127.0.0.1:{port}/api/ledger/events", {"Authorization": f"Bearer {self.token}"}
        try:
            async with aiohttp.ClientSession(headers=headers) as session:
                while True:
                    events = self._unacknowledged or [self._event() for _ in range(BATCH)]
                    self._unacknowledged = events
                    async with session.post(url, json=events) as response:
                        if response.status == 503:
                            await response.read()
                            continue
                        assert response.status == 200, await response.text()
                        answer = await response.json()
                    for entry in answer["events"]:
                        assert "error" not in entry, entry
                        self.acknowledged[entry["id"]] = entry["deliveries"]
                    self._unacknowledged = []
        except aiohttp.ClientError:
            pass

    def _event(self) -> dict:
        self._made += 1
        type = self.random.choice(["file.updated", "file.created"])
        data = {"id": self._made, "parentId": 310, "title": f"report {self._made}.docx"}
        return {"id": f"event-{self._made}", "type": type, "data": data}

    async def kill_after(self, wait_s: float) -> None:
        """Let the service run and be published to for a while, from its first moment on, then kill it."""
        running = asyncio.create_task(self._run())
        await asyncio.wait({running}, timeout=wait_s)
        if self._service is not None and self._service.returncode is None:
            self._service.send_signal(signal.SIGKILL)
            await self._service.wait()
        await running
        self._close_epoch()

    async def _run(self) -> None:
        port = await self.serve()
        if port is not None:
            await self.publish(port)

    def _close_epoch(self) -> None:
        self.ledger.read_on()
        self.epochs.append(Epoch(len(self.received()), set(self.ledger.recorded)))

    def received(self) -> list[tuple[str, str, int]]:
        """Every request that reached the receiver: path, webhook-id, attempt."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [(path, id, int(attempt)) for path, id, attempt in lines]

    async def end(self) -> None:
        """Let what is due be delivered, then stop gracefully."""
        port = await self.serve()
        assert port is not None
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"}) as session:
            while self._unacknowledged:
                url = f"http://127.0.0.1:{port}/api/ledger/events"
                async with session.post(url, json=self._unacknowledged) as response:
                    if response.status == 200:
                        for entry in (await response.json())["events"]:
                            self.acknowledged[entry["id"]] = entry["deliveries"]
                        self._unacknowledged = []
        async with asyncio.timeout(END_S + 60):
            while self._due_now():
                await self._moment()
        self._service.send_signal(signal.SIGTERM)
        await self._service.wait()
        self.ledger.read_on()

    async def _moment(self) -> None:
        """Until the receiver's log grows, or soon after: the outbox is looked at again."""
        size, looked = self.log.stat().st_size, asyncio.Event()

        def look(again: int) -> None:
            if self.log.stat().st_size > size or not again:
                looked.set()
            else:
                asyncio.get_running_loop().call_later(0.02, look, again - 1)

        look(25)
        await looked.wait()

    def _due_now(self) -> bool:
        """Whether the outbox holds rows that are due and not of the receiver that hangs."""
        views = sqlite3.connect(f"file:{self.data / 'views.sqlite'}?mode=ro", uri=True)
        try:
            rows = views.execute(
                "SELECT count(*) FROM outbox_1 WHERE due < CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
                " AND webhook NOT IN (SELECT max(webhook) FROM outbox_1)"
            ).fetchone()
        finally:
            views.close()
        return bool(rows[0])

    def stop(self) -> None:
        for process in (self._service, self._receiver):
            if process is not None and process.returncode is None:
                process.kill()


@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """After 30 kills every acknowledged event is delivered or still due, once, and no delivery has two ends."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    world = World(tmp_path, seed)
    try:
        await world.begin()
        for kill in range(KILLS):
            if kill % (KILLS // REBUILDS) == KILLS // REBUILDS - 1:
                await world.command("rebuild", kill_after_s=world.random.uniform(0.2, 1.2))
                world._close_epoch()
            else:
                await world.kill_after(world.random.uniform(0.3, 2.0))
        await world.end()
        counts = _judge(world)
        print(f"{KILLS} kills: {counts}")
    finally:
        world.stop()


def _judge(world: World) -> dict[str, int]:
    received_events: dict[str, bytes] = {}
    created: dict[bytes, Recorded] = {}
    per_event: dict[bytes, int] = defaultdict(int)
    ends: dict[bytes, int] = defaultdict(int)
    last: dict[bytes, object] = {}
    for recorded in world.ledger.events:
        event = recorded.event
        if isinstance(event, Received):
            assert event.id not in received_events, f"{event.id} was recorded twice"
            received_events[event.id] = recorded.stream
        elif isinstance(event, Created):
            created[recorded.stream] = recorded
            per_event[event.event] += 1
        elif isinstance(event, Delivered | Cancelled) or (isinstance(event, AttemptFailed) and event.next is None):
            ends[recorded.stream] += 1
        if isinstance(event, Delivered | AttemptFailed):
            last[recorded.stream] = event
    assert len(world.acknowledged) > 100, "too little was published to say anything"
    lost = [id for id in world.acknowledged if id not in received_events]
    assert not lost, f"{len(lost)} acknowledged events are not in the ledger: {lost[:5]}"
    for id, deliveries in world.acknowledged.items():
        assert per_event[received_events[id]] == deliveries, id
    assert all(count == 1 for count in ends.values()), "a delivery has two ends"
    _judge_due(world, created, ends, last)
    requests = world.received()
    delivered = {id for id, event in last.items() if isinstance(event, Delivered)}
    answered = {id for _, id, _ in requests}
    assert {id.hex() for id in delivered} <= answered, "recorded as delivered, and the receiver never saw it"
    return {
        "acknowledged": len(world.acknowledged),
        "lost": len(lost),
        "deliveries": len(created),
        "delivered": len(delivered),
        "requests": len(requests),
        "received twice": _judge_twice(world, requests),
    }


def _judge_due(world: World, created: dict, ends: dict, last: dict) -> None:
    """Whatever has not ended stands in the outbox, with the time its last attempt, or its creation, gave it."""
    views = sqlite3.connect(world.data / "views.sqlite")
    due = {delivery: (at, attempt) for delivery, at, attempt in views.execute("SELECT delivery, due, attempt FROM outbox_1")}
    views.close()
    open_ones = {stream: recorded for stream, recorded in created.items() if not ends[stream]}
    assert set(due) == set(open_ones)
    for stream, recorded in open_ones.items():
        failed = last.get(stream)
        expected = (recorded.event.at, 1) if failed is None else (failed.next, failed.attempt.number + 1)
        assert due[stream] == expected


def _judge_twice(world: World, requests: list[tuple[str, str, int]]) -> int:
    """A request that came twice had no recorded outcome at the kill between the two."""
    twice, epoch_of, epoch = 0, {}, 0
    for index, (_, id, attempt) in enumerate(requests):
        while epoch < len(world.epochs) and index >= world.epochs[epoch].log_lines:
            epoch += 1
        before = epoch_of.get((id, attempt))
        if before is not None:
            twice += 1
            assert before < epoch, f"{id} attempt {attempt} came twice without a kill in between"
            assert (id, attempt) not in world.epochs[before].recorded, f"{id} was recorded, and made again"
        epoch_of[id, attempt] = epoch
    return twice
