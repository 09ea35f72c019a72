"""What must hold after all kills: the portal's acknowledgements and the receiver's log, held against the ledger."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple, Protocol

from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.ledger.unit import Recorded
from core.model.delivery import AttemptFailed, Cancelled, Created, Delivered, LateAttempt
from core.model.portal_event import Received
from core.model.topics import Codec


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


class Judged(Protocol):
    """What the three processes left."""

    data: Path
    ledger: Ledger
    epochs: list[Epoch]
    acknowledged: dict[str, int]

    def received(self) -> list[tuple[str, str, int]]: ...


def judge(world: Judged) -> dict[str, int]:
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
    late = [recorded for recorded in world.ledger.events if isinstance(recorded.event, LateAttempt)]
    assert not late, f"one process made {len(late)} attempts twice, as {late[0].stream.hex()}"
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


def _judge_due(world: Judged, created: dict, ends: dict, last: dict) -> None:
    """Whatever has not ended stands in the outbox, with the time its last attempt, or its creation, gave it."""
    views = sqlite3.connect(world.data / "views.sqlite")
    rows = views.execute("SELECT delivery, due, attempt, version FROM outbox_1")
    due = {delivery: (at, attempt, version) for delivery, at, attempt, version in rows}
    views.close()
    open_ones = {stream: recorded for stream, recorded in created.items() if not ends[stream]}
    assert set(due) == set(open_ones)
    for stream, recorded in open_ones.items():
        failed = last.get(stream)
        attempts = 0 if failed is None else failed.attempt.number
        expected = (recorded.event.at if failed is None else failed.next, attempts + 1, attempts + 1)
        assert due[stream] == expected, (stream.hex(), due[stream], expected, failed)


def _judge_twice(world: Judged, requests: list[tuple[str, str, int]]) -> int:
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
