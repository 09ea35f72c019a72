"""`triggers` and `plugins`: what is installed, without a ledger and without `serve`."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import aiohttp

from tests.end_to_end.place import DEADLINE_S, ROOT


async def test_a_sample_can_be_published_again_and_again(place):
    """Piped on, it is one line with the event and nothing else; each one is new, and is accepted."""
    serving = await place.serve()
    samples = await asyncio.gather(*(place.run("triggers", "room.created", "--sample") for _ in range(2)))
    headers = {"Authorization": f"Bearer {await place.token()}"}
    async with aiohttp.ClientSession(serving.url, headers=headers) as session:
        for sample in samples:
            assert (sample.out.count("\n"), sample.err) == (1, "")
            answer = await session.post("/api/ledger/events", data=sample.out)
            told = await answer.json()
            assert (answer.status, told["accepted"], told["events"][0]["trigger"]) == (200, 1, "room.created")


async def test_people_see_both_sides(place):
    """On a terminal, --sample shows what a portal sends, and what a receiver gets of it."""
    ours, theirs = os.openpty()
    words = [sys.executable, "-m", "hookledger", "triggers", "user.updated", "--sample"]
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, env=place.environment, stdout=theirs)
    os.close(theirs)
    seen = b""
    async with asyncio.timeout(DEADLINE_S):
        while chunk := await asyncio.to_thread(_read, ours):
            seen += chunk
        assert await process.wait() == 0
    os.close(ours)
    sends, gets = seen.decode().replace("\r", "").split("What a receiver gets:\n")
    assert json.loads(sends.removeprefix("What a portal sends:\n"))["type"] == "user.updated"
    assert json.loads(gets)["event"]["trigger"] == "user.updated"


def _read(terminal):
    """What is there to read; nothing when the other end is closed."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


async def test_plugins_are_listed_with_what_they_do(place):
    """Name, version, hooks and triggers of each; and what `serve` has, if one runs on the data directory."""
    alone = (await place.run("plugins", "--json")).json
    assert [(one["name"], len(one["triggers"]), one["serve"]) for one in alone] == [
        ("files", 20, None),
        ("rooms", 9, None),
        ("users", 7, None),
    ]
    assert all(one["hooks"] == ["register_triggers", "read_event"] for one in alone)
    assert not place.data.exists()
    await place.serve()
    beside = (await place.run("plugins")).out.splitlines()
    assert beside[0].split() == ["plugin", "version", "hooks", "triggers", "in", "serve", "faults"]
    assert [line.split()[1] == line.split()[-2] for line in beside[1:]] == [True] * 3
