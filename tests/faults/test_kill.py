"""Whatever is killed, nothing acknowledged is lost: client, service and receiver in three processes, 30 SIGKILLs."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.faults.judge import Epoch, Ledger, judge

KILLS = 30
REBUILDS = 6
"""So many of the kills hit a rebuild."""
BATCH = 20
HERE = Path(__file__).parent
END_S = 25
"""How long after the last kill everything that is due at once, or at its first retry, has been delivered."""


class World:
    """The three processes, and what each of them knows."""

    def __init__(self, tmp_path: Path, seed: int) -> None:
        self.data, self.log, self.said = tmp_path / "data", tmp_path / "received.log", tmp_path / "serve.log"
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
        with self.said.open("ab") as said:
            self._service = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hookledger", "serve", "--data", str(self.data), "--port", "0",
                "--allow-target", "127.0.0.0/8",
                stdout=asyncio.subprocess.PIPE, stderr=said,
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
        self.close_epoch()

    async def _run(self) -> None:
        port = await self.serve()
        if port is not None:
            await self.publish(port)

    def close_epoch(self) -> None:
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
async def test_nothing_acknowledged_is_lost(tmp_path: Path, tell: Callable[[object], None]) -> None:
    """After 30 kills every acknowledged event is delivered or still due, once, and no delivery has two ends."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    world = World(tmp_path, seed)
    try:
        await world.begin()
        for kill in range(KILLS):
            if kill % (KILLS // REBUILDS) == KILLS // REBUILDS - 1:
                await world.command("rebuild", kill_after_s=world.random.uniform(0.2, 1.2))
                world.close_epoch()
            else:
                await world.kill_after(world.random.uniform(0.3, 2.0))
        await world.end()
        counts = judge(world)
        tell(f"{KILLS} kills: {counts}")
        bugs = [line for line in world.said.read_text().splitlines() if " ERROR " in line or "Traceback" in line]
        assert not bugs, bugs[:5]
    finally:
        world.stop()
