"""What a plugin answers and no ledger can hold is that plugin's fault, and nobody else's."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from core.hookspecs import hookimpl
from core.incoming import Rejected
from core.intake import Accepted
from core.trigger import Reading, RemoveGroup, SetPerson, Trigger
from tests.builders import SOURCE, open_office, our_plugins, sent
from tests.matching.history import recorded_hearers

HALF = "\ud83d"
"""Half of a character: Python has such strings, and UTF-8 has not."""


class Kites:
    """A plugin that answers every event of its own with what the test gave it."""

    def __init__(self, answer):
        self._answer = answer

    @hookimpl
    def register_triggers(self):
        return [Trigger(name="kite.flown", order=99, changes_directory=True)]

    @hookimpl
    def read_event(self, events):
        answer = {"payload": {"id": 1}, "target_type": "kite", "target_ids": (1,), **self._answer}
        return [Reading(**answer) for _ in events]


async def test_an_event_that_cannot_be_stored_is_refused_alone(tmp_path):
    """Should an event pass all checks and no encoder take it, it is refused in words; its neighbours are not."""
    office = open_office(tmp_path)
    await office.start()
    first, odd, last = sent(*[{"type": "file.moved", "id": str(number)} for number in range(3)])
    odd = msgspec.structs.replace(odd, actor=HALF)
    results = await office.intake.accept("1", [first, odd, last], SOURCE)
    await office.close()
    assert [type(result) for result in results] == [Accepted, Rejected, Accepted]
    assert results[1].error.startswith("$[1]: cannot be stored: ")


@pytest.mark.parametrize(
    "answer",
    [
        {"target_type": HALF},
        {"target_ids": (1, HALF)},
        {"readers": ["everyone", "user:" + HALF]},
        {"changes": [RemoveGroup(id=HALF)]},
        {"changes": [SetPerson(id="p1"), SetPerson(id="p2", joins=["g1", HALF])]},
    ],
    ids=["target type", "target id", "readers", "change", "membership"],
)
async def test_what_cannot_be_stored_spoils_its_own_event_only(answer, tmp_path):
    """It is recorded with its fault and delivered to nobody; who shares its commit is not told that the disk fails."""
    office = open_office(tmp_path, plugins=our_plugins(kites=Kites(answer)))
    await office.start()
    made = await office.webhooks.create(tenant="1", name="any", url="http://h/", by=None)
    requests = [sent({"type": type, "id": f"{number}"}) for number, type in enumerate(["file.moved", "kite.flown"] * 2)]
    results = await asyncio.gather(*[office.intake.accept("1", request, SOURCE) for request in requests])
    hearers = recorded_hearers(office.reader)
    people = office.directory.tenant("1").people
    await office.close()
    told = [(result.note is not None and "kites" in result.note, hearers[result.position]) for (result,) in results]
    assert told == [(False, {made.webhook.number}), (True, set())] * 2
    assert people.persons == {}
