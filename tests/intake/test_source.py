"""Where an event came from is recorded with it."""

from __future__ import annotations

import msgspec

from tests.builders import SOURCE, open_office, sent


async def test_an_event_may_say_its_own_source(tmp_path):
    """Of several events of one call, each is recorded with its own; with that of the call where it has none."""
    office = open_office(tmp_path)
    await office.start()
    first, second, third = sent(*[{"type": "file.created"}] * 3)
    first, second = (
        msgspec.structs.replace(event, source=("kafka", "portal.events", 3, offset))
        for offset, event in enumerate((first, second))
    )
    accepted = await office.intake.accept("1", [first, second, third], SOURCE)
    found = office.reader.at([one.position for one in accepted])
    await office.close()
    sources = [found[one.position].event.source for one in accepted]
    assert sources == [("kafka", "portal.events", 3, 0), ("kafka", "portal.events", 3, 1), SOURCE]
