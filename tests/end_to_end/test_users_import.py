"""`hookledger users import`: who is who, said by the operator; nothing of it is published or delivered."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from core.directory import Directory
from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.ledger.unit import Recorded
from core.limits import IMPORT_PERSONS_MAX
from core.model import person
from core.model.topics import Codec
from core.operations import deliveries
from tests.end_to_end.place import ALLOW, a_portal_event

STOCK = [
    {"id": "anna", "role": "admin", "status": "active", "groups": ["sales", "board"]},
    {"id": "bob", "role": "user", "status": 1, "groups": []},
    {"id": "petra", "role": "guest", "status": 4},
    {"id": "jose", "email": "jose@example.com"},
]


def recorded(data: Path) -> list[Recorded]:
    recorder = SqliteRecorder(data / "ledger.sqlite")
    try:
        return Reader(recorder, Codec()).after(0, 10_000)
    finally:
        recorder.close()


def people(data: Path, tenant: str = "1"):
    """Who is who, as the ledger says."""
    directory = Directory()
    directory.apply(recorded(data))
    return {id: (one.role, one.status, set(one.groups)) for id, one in directory.tenant(tenant).people.persons.items()}


@pytest.mark.parametrize("form", ["array", "lines"])
async def test_a_stock_is_recorded_once(place, tmp_path, form):
    """From an array or lines, as a first act on an empty directory; the same again changes nothing."""
    file = tmp_path / "users"
    file.write_text(json.dumps(STOCK, indent=1) if form == "array" else "\n".join(map(json.dumps, STOCK)))
    ran = await place.run("users", "import", str(file), "--json")
    assert ran.code == 0, ran.err
    assert {name: ran.json[name] for name in ("recorded", "unchanged", "rejected")} == {
        "recorded": 4,
        "unchanged": 0,
        "rejected": 0,
    }
    assert people(place.data) == {
        "anna": ("admin", "active", {"sales", "board"}),
        "bob": ("user", "active", set()),
        "petra": ("guest", "pending", set()),
        "jose": ("user", "active", set()),
    }
    before = recorded(place.data)
    assert all(one.event.cause is None for one in before if isinstance(one.event, person.Set))
    again = await place.run("users", "import", str(file))
    assert again.out.startswith("0 recorded, 4 unchanged, 0 rejected, in ")
    assert recorded(place.data) == before


async def test_all_errors_are_told_with_their_lines(place):
    """What is wrong is told, what is right is recorded, and the exit code says that not all was taken."""
    lines = [
        '{"id": "anna"}',
        "{",
        '{"role": "user"}',
        '{"id": "b", "role": "king"}',
        '{"id": "c", "status": 3}',
        '{"id": "d", "groups": "sales"}',
        '{"id": "e", "time": "yesterday"}',
        '{"id": "%s"}' % ("x" * 201),
    ]
    ran = await place.run("users", "import", "-", "--tenant", "7", "--json", stdin="\n".join(lines))
    assert (ran.code, ran.json["recorded"], ran.json["rejected"]) == (1, 1, 7)
    told = [line.split(": ", 1) for line in ran.err.splitlines()]
    assert [line for line, _ in told] == [f"line {number}" for number in range(2, 9)]
    assert [reason.split(":")[0] for _, reason in told] == [
        "$",
        *(f"$.{n}" for n in ("id", "role", "status", "groups", "time", "id")),
    ]
    assert told[2][1] == "$.role: expected one of admin, room-admin, user, guest"
    assert told[6][1].endswith("(PERSON_ID_CHARS_MAX)")
    assert set(people(place.data, "7")) == {"anna"}


async def test_serve_knows_at_once_and_delivers_nothing(place, receiver):
    """Over the socket: no delivery comes of it, and the next event is judged by it."""
    await place.serve(*ALLOW)
    made = await place.webhook(receiver.url, owner="anna")
    stock = json.dumps([{"id": "anna", "role": "user", "groups": ["sales"]}])
    event = a_portal_event("e1", readers=["group:sales"])
    assert (await place.run("publish", "-", stdin=json.dumps(event))).code == 0
    assert (await place.run("users", "import", "-", stdin=stock)).code == 0
    assert (await place.run("publish", "-", stdin=json.dumps({**event, "id": "e2"}))).code == 0
    body = json.loads((await receiver.next()).body)
    assert body["webhook"]["id"] == made.id
    assert [one.event_id for one in (await place.ask(deliveries.LIST, deliveries.ListDeliveries())).deliveries] == [
        "e2"
    ]


async def test_a_large_stock_goes_in_several_commits_beside_events(place, tmp_path):
    """Events are accepted between them, and both are there in the end."""
    file = tmp_path / "users.ndjson"
    many = 3 * IMPORT_PERSONS_MAX + 7
    file.write_text("\n".join(json.dumps({"id": f"u{number}", "role": "user"}) for number in range(many)))
    await place.serve()
    events = "\n".join(
        json.dumps(a_portal_event(f"e{number}", "user.created", data={"id": f"u{number}", "isAdmin": True}))
        for number in range(0, many, 10)
    )
    imported, published = await asyncio.gather(
        place.run("users", "import", str(file), "--json"), place.run("publish", "-", "--json", stdin=events)
    )
    assert imported.json["recorded"] + imported.json["unchanged"] == many
    assert published.json["accepted"] == len(range(0, many, 10))
    streams = {}
    for one in recorded(place.data):
        if isinstance(one.event, person.Set):
            assert streams.setdefault(one.event.id, one.stream) == one.stream
    assert len(streams) == many
