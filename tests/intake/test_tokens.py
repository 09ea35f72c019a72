"""Tokens: made once, recognised exactly, and never the cause of two histories of one person."""

from __future__ import annotations

import asyncio
import json

import pytest

from core.errors import InvalidInputError, UnauthorizedError
from core.incoming import events_of
from core.model import person
from tests.builders import SOURCE, open_office


@pytest.fixture(name="office")
async def _office(tmp_path):
    office = open_office(tmp_path / "data")
    await office.start()
    yield office
    await office.close()


def create(office, role="user", user="u1"):
    return office.tokens.create(tenant="1", role=role, user=user, by=None)


async def test_a_token_is_recognised_and_its_neighbours_are_not(office):
    """The token itself is known; one changed character, or a part of it, is not."""
    id, text = await create(office, "portal", None)
    assert office.tokens.recognise(text).id.hex() == id
    for wrong in (text[:-1], text + "x", text.replace(".", ""), text[:-2] + ("AA" if text[-2:] != "AA" else "BB"), ""):
        with pytest.raises(UnauthorizedError):
            office.tokens.recognise(wrong)


async def test_only_a_hash_is_kept(office, tmp_path):
    """The secret part stands nowhere on disk."""
    _, text = await create(office, "portal", None)
    await office.writer.settle()
    secret = text.split(".")[1].encode()
    assert not any(secret in path.read_bytes() for path in (tmp_path / "data").iterdir() if path.is_file())


@pytest.mark.parametrize(("role", "user"), [("owner", "u1"), ("user", None), ("admin", "")])
async def test_what_makes_no_token_is_said(office, role, user):
    """An unknown role, or a role of a person without the person, is refused in words."""
    with pytest.raises(InvalidInputError):
        await create(office, role, user)


async def test_a_person_becomes_known_once(office):
    """Two tokens at once for a person nobody knew, beside an event that tells of them: one stream, no failure."""
    event = {"id": "e", "type": "user.created", "data": {"id": "u1", "isAdmin": True}}
    sent = events_of(json.dumps(event).encode(), "1")
    await asyncio.gather(create(office), office.intake.accept("1", sent, SOURCE), create(office, "admin"))
    streams = {recorded.stream for recorded in office.reader.landmarks() if isinstance(recorded.event, person.Set)}
    assert len(streams) == 1


async def test_a_removed_persons_tokens_answer_no_more(office):
    """A token speaks for a person, and is worth nothing when they are terminated or gone."""
    _, text = await create(office)
    office.tokens.recognise(text)
    event = {"id": "d", "type": "user.deleted", "data": {"id": "u1"}}
    await office.intake.accept("1", events_of(json.dumps(event).encode(), "1"), SOURCE)
    with pytest.raises(UnauthorizedError):
        office.tokens.recognise(text)
