"""Several real processes on one database, and a receiver that may keep some of them waiting."""

from __future__ import annotations

import asyncio
import json
import math
import signal
from contextlib import closing
from pathlib import Path

import psycopg
from aiohttp import ClientSession, web

from core.clock import SystemClock
from core.ledger.postgres.recorder import PostgresRecorder
from core.ledger.read import Reader
from core.ledger.store import Database
from core.model.delivery import Delivered
from core.model.topics import Codec
from core.settings import KEY_VARIABLE
from tests import postgres
from tests.end_to_end.place import ALLOW, DEADLINE_S, FILE, Place, Serving, a_portal_event
from tests.ledger.wire import PORT, Wire

OVER_S = 10.0
"""So long after a fault deliveries must go on; on a machine that is not busy it is half of that."""


SAME_MOMENT_MS = 100
"""Between what a commit says of its time and when it is known of."""


class Letterbox:
    """Answers 200, but keeps those waiting whose title a test holds; remembers when what came."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[str, int, str]] = []
        """(title, the delivery's number, `webhook-id`) of every request."""
        self.at_ms: list[int] = []
        """When each of them came."""
        self.held: dict[str, asyncio.Event] = {}
        self._came = asyncio.Condition()

    async def hear(self, request: web.Request) -> web.Response:
        body = await request.json()
        title = body["payload"]["title"]
        self.at_ms.append(SystemClock().now_ms())
        self.got.append((title, body["event"]["id"], request.headers["webhook-id"]))
        async with self._came:
            self._came.notify_all()
        if title in self.held:
            await self.held[title].wait()
        return web.Response(text="thank you")

    async def came(self, *titles: str, times: int = 1, within_s: float = DEADLINE_S) -> float:
        """Wait until each of these has come so often; how many seconds that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(within_s), self._came:
            await self._came.wait_for(lambda: all(self.times(title) >= times for title in titles))
        return loop.time() - began

    async def comes(self) -> None:
        """Wait until something comes."""
        async with asyncio.timeout(DEADLINE_S), self._came:
            await self._came.wait()

    def times(self, title: str) -> int:
        return sum(title == one for one, _, _ in self.got)


class Crew:
    """Processes by name, each with a data directory of its own, on one ledger."""

    words: tuple[str, ...] = ()
    """Said to each process, besides its roles."""

    def __init__(self, home: Path, database: Database, box: Letterbox) -> None:
        self._home, self.database, self.box = home, database, box
        self._places: dict[str, Place] = {}
        self.wires: dict[str, Wire] = {}
        self.serving: dict[str, Serving] = {}
        self._token = ""
        self.titles: list[str] = []

    def place(self, name: str) -> Place:
        """Where a process is, or a command."""
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = Place(self._home / name)
            place.environment |= {
                "HOOKLEDGER_DATABASE": self.wires[name].database if name in self.wires else self.database.url,
                "HOOKLEDGER_SCHEMA": self.database.schema,
                KEY_VARIABLE: postgres.ENVIRONMENT[KEY_VARIABLE],
                # By this name the server knows its connections.
                "PGAPPNAME": f"{self.database.schema}_{name}",
            }
        return place

    def connect(self, name: str, directory: Path) -> None:
        """From here on a process reaches the database by a wire of its own. A socket's path must be short."""
        (directory / f".s.PGSQL.{PORT}").unlink(missing_ok=True)
        self.wires[name] = Wire(self.database.url, directory)

    def cut_off(self, name: str) -> None:
        """The process no longer reaches the database, until it is connected again."""
        self.wires[name].close()

    async def start(self, **roles: str) -> None:
        """Processes of these names, each with its roles; the first one is told what it needs."""

        async def start(name: str, said: str) -> None:
            words = [word for role in said.split() for word in ("--role", role)]
            self.serving[name] = await self.place(name).serve(*ALLOW, *self.words, *words)

        await asyncio.gather(*(start(name, said) for name, said in roles.items()))

    async def begin(self, **roles: str) -> str:
        """Processes with roles, else one that takes events and two that may carry; a webhook; who leads."""
        await self.start(**(roles or {"api": "api", "one": "outbox worker", "two": "outbox worker"}))
        self._token = await self.place("api").token()
        leader = await self.leader()
        await self.place("api").webhook(self.box.url)
        await self.publish("first")
        await self.box.came("first")
        return leader

    async def publish(self, *titles: str) -> None:
        self.titles += titles
        events = [a_portal_event(title, readers=["everyone"], data=FILE | {"title": title}) for title in titles]
        async with (
            ClientSession(headers={"Authorization": f"Bearer {self._token}"}) as session,
            session.post(f"{self.serving['api'].url}/api/ledger/events", data=json.dumps(events)) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def leader(self, but: str = "") -> str:
        """Who says that it leads, other than one that cannot answer just now."""
        async with asyncio.timeout(DEADLINE_S), ClientSession() as session:
            while True:
                for name, serving in self.serving.items():
                    if name == but or serving.process.returncode is not None:
                        continue
                    async with session.get(f"{serving.url}/metrics") as answer:
                        if "\nhookledger_leads 1" in await answer.text():
                            return name

    async def metric(self, name: str, sample: str) -> float:
        """What a process says of itself, as its `/metrics` names it."""
        async with ClientSession() as session, session.get(f"{self.serving[name].url}/metrics") as answer:
            text = await answer.text()
        (line,) = [line for line in text.splitlines() if line.startswith(f"{sample} ")]
        return float(line.rpartition(" ")[2])

    def stand_still(self, name: str) -> None:
        self.serving[name].process.send_signal(signal.SIGSTOP)

    def move_on(self, name: str) -> None:
        self.serving[name].process.send_signal(signal.SIGCONT)

    async def goes_on(self, after: str, tell) -> None:
        """Deliveries go on, soon after what has happened."""
        await self.publish(after)
        took_s = await self.box.came(after, within_s=OVER_S)
        tell(f"{after}: deliveries went on after {took_s:.1f} s")

    def tell(self, sql: str) -> None:
        with psycopg.connect(self.database.url, autocommit=True) as connection:
            connection.execute(f"SET search_path TO {self.database.schema}")
            connection.execute(sql)

    async def ends_well(self, *twice: str) -> None:
        """Every event came, and came once, but for those of which it is said; and all processes say so."""
        await self.box.came(*self.titles)
        assert {title for title in self.titles if self.box.times(title) != 1} == set(twice)
        assert len({id for _, _, id in self.box.got}) == len(self.titles)
        numbers = {number for _, number, _ in self.box.got}
        async with asyncio.timeout(DEADLINE_S):
            while True:
                ran = await self.place("api").run("deliveries", "list", "--json", "--limit", "1000")
                assert ran.code == 0, ran.err
                listed = {one["id"]: (one["state"], one["attempts"], one["status"]) for one in ran.json}
                if all(state == "delivered" for state, *_ in listed.values()) and len(listed) == len(numbers):
                    break
        assert listed == dict.fromkeys(numbers, ("delivered", 1, 200))

    async def ends_exactly(self, times: int) -> None:
        """Every event came so often, to so many webhooks, each delivery once."""
        await self.box.came(*self.titles[1:], times=times)
        assert {self.box.times(title) for title in self.titles[1:]} == {times}
        assert len({id for _, _, id in self.box.got}) == len(self.box.got)

    def came_after_their_outcome(self) -> list[int]:
        """Deliveries of which a request came although the ledger had their outcome by then."""
        with closing(PostgresRecorder(*self.database)) as recorder:
            reader, position, ended = Reader(recorder, Codec()), 0, {}
            while events := reader.after(position):
                position = events[-1].position
                ended |= {
                    one.event.number: reader.committed_at(one.position)
                    for one in events
                    if isinstance(one.event, Delivered)
                }
        came = zip(self.box.got, self.box.at_ms, strict=True)
        return [number for (_, number, _), at_ms in came if at_ms > ended.get(number, math.inf) + SAME_MOMENT_MS]

    async def close(self) -> None:
        for place in self._places.values():
            await place.close()
        for wire in self.wires.values():
            wire.close()
