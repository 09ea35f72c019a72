"""Broken plugins, installed as anybody's are, in a `serve` of its own: what it says, refuses, and goes on with."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from core.limits import HOOK_REST_S, IMPORT_S
from core.operations import deliveries, webhooks
from tests.end_to_end.place import ALLOW, DEADLINE_S, Serving, a_portal_event

KITES = """
from pathlib import Path
import time
from hookledger import Reading, Trigger, hookimpl

@hookimpl
def register_triggers():
    return [Trigger(name="kite.flown", order=1000, bit=40)]

@hookimpl
def read_event(events):
    return [read(event.data, event) for event in events]

def read(data, event):
    does = data.get("does")
    good = Reading(payload={"id": 7}, target_type="kite", target_ids=[7], readers=["everyone"])
    if does == "raise":
        raise LookupError("no wind")
    if does == "exit":
        raise SystemExit(3)
    if does == "garbage":
        return {"payload": 7}
    if does == "changes":
        from hookledger import SetPerson
        return Reading(payload={}, target_type="kite", changes=[SetPerson(id="eve", role="admin")])
    if does == "write":
        data["id"] = "written over"
    if does == "dawdle":
        time.sleep(0.6)
    if does == "hang":
        while True:
            time.sleep(0.01)
    return good
"""


class Site:
    """A folder on the path of the place's processes, in which a plugin is installed."""

    def __init__(self, path: Path, place) -> None:
        self.path = path
        place.environment["PYTHONPATH"] = str(path)

    def install(self, name: str, source: str, version: str = "1.2") -> None:
        info = self.path / f"{name}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[hookledger]\n{name} = {name}\n")
        (self.path / f"{name}.py").write_text(source)


@pytest.fixture(name="site")
def _site(place, tmp_path):
    (tmp_path / "site").mkdir()
    return Site(tmp_path / "site", place)


async def troubled(place, *words) -> tuple[Serving, list[str]]:
    """A `serve` that starts and is not ready, and why."""
    process = await place.start("serve", "--port", "0", *words)
    said = []
    async with asyncio.timeout(DEADLINE_S):
        while not said or not said[-1].startswith("not ready: "):
            line = (await process.stdout.readline()).decode().rstrip("\n")
            assert line, (await process.stderr.read()).decode()
            assert line != "ready"
            said.append(line)
    return Serving(process, said[0].removeprefix("listening on "), said), said[-1].removeprefix("not ready: ")


async def until_ready(serving):
    async with asyncio.timeout(DEADLINE_S):
        while (line := await serving.process.stdout.readline()) != b"ready\n":
            assert line


async def health(serving):
    async with aiohttp.ClientSession() as session, session.get(f"{serving.url}/health/ready") as answer:
        return answer.status, await answer.json()


async def publish(place, serving, *events):
    headers = {"Authorization": f"Bearer {await place.token()}"}
    async with aiohttp.ClientSession(serving.url, headers=headers) as session:
        answer = await session.post("/api/ledger/events", json=list(events))
        return answer.status, answer.headers, await answer.json(content_type=None)


def kite(id, **data):
    return a_portal_event(id, "kite.flown", readers=["everyone"], data={"id": 7, **data})


async def plugin(place, name):
    """What `hookledger plugins` says of one."""
    ran = await place.run("plugins", "--json")
    assert ran.code == 0, ran.err
    return next(one for one in ran.json if one["name"] == name)


async def test_a_plugin_that_cannot_be_imported(place, site, receiver):
    """`serve` says which and why, delivers what it has, takes nothing, and goes on by itself when it is mended."""
    site.install("kites", KITES)
    made = await place.webhook(f"{receiver.url}/hook")
    serving = await place.serve()
    assert (await publish(place, serving, kite("before")))[0] == 200
    assert await serving.stop() == 0

    site.install("kites", "raise RuntimeError('no wind')", version="1.3")
    serving, reason = await troubled(place, *ALLOW)
    says = "kites cannot be imported: RuntimeError: no wind"
    assert reason.startswith("plugin 'kites' cannot be loaded, and until it is, or is uninstalled, no events are taken")
    assert reason.endswith(says)
    assert await health(serving) == (503, {"ready": False, "reasons": [reason]})
    # what was accepted is delivered, and commands work
    assert b"kite.flown" in (await receiver.next()).body
    assert [one.id for one in await place.ask(webhooks.LIST, webhooks.ListWebhooks())] == [made.id]
    for event in (kite("a"), a_portal_event("b"), a_portal_event("c", "no.body")):
        status, headers, problem = await publish(place, serving, event)
        assert (status, headers["Retry-After"].isdigit()) == (503, True)
        assert problem["detail"] == "plugins that cannot be loaded: 'kites'"
    told = await plugin(place, "kites")
    assert (told["load_fault"], told["serve"]["load_fault"], told["version"]) == (says, says, None)

    site.install("kites", KITES, version="1.4")
    await until_ready(serving)
    assert (await health(serving))[0] == 200
    status, _, told = await publish(place, serving, kite("before"), kite("a"))
    assert (status, told["duplicates"], told["events"][1]["trigger"]) == (200, 1, "kite.flown")
    assert (await plugin(place, "kites"))["serve"]["version"] == "1.4"
    assert await serving.stop() == 0


async def test_a_plugin_that_hangs_at_import(place, site, tmp_path):
    """The start waits IMPORT_S for it and no longer, names it and its line, and takes it when it comes."""
    gate = tmp_path / "gate"
    site.install(
        "kites", f"import time\nfrom os.path import exists\nwhile not exists({str(gate)!r}):\n    pass\n{KITES}"
    )
    serving, reason = await troubled(place)
    assert re.search(rf"kites is not imported after {IMPORT_S:g} s \(IMPORT_S\), at line \d of kites\Z", reason)
    assert (await health(serving))[0] == 503
    assert (await publish(place, serving, a_portal_event("a")))[0] == 503
    gate.touch()
    await until_ready(serving)
    assert (await publish(place, serving, a_portal_event("a"), kite("b")))[0] == 200
    assert await serving.stop() == 0


CANNOT_BE = {
    # name of the plugin: its source, and what is said of it
    "bit": (
        KITES.replace("40", "7"),
        "trigger 'kite.flown' claims bit 7, which belongs to 'file.created': 36 and up are free",
    ),
    "exits": ("import sys\nsys.exit('bye')", "exits cannot be imported: SystemExit: bye"),
    "nonsense": (KITES.replace("return [T", "return 7, [T"), "registers int, not a Trigger"),
    "nothing": ("", "implements no hook; each needs @hookimpl"),
    "raises": (KITES.replace("return [T", "raise KeyError(8) ; [T"), "register_triggers failed: KeyError: 8"),
    "takes": (
        KITES.replace('"kite.flown", order=1000, bit=40', '"room.created", order=1, bit=22'),
        "trigger 'room.created' is registered by 'rooms' too",
    ),
}


async def test_plugins_that_cannot_be_what_they_say(place, site):
    """Each is named with what is wrong, before any event is taken for something else."""
    for name, (source, _) in CANNOT_BE.items():
        site.install(name, source)
    serving, _ = await troubled(place)
    status, answer = await health(serving)
    assert status == 503
    until = "cannot be loaded, and until it is, or is uninstalled, no events are taken"
    assert answer["reasons"] == [f"plugin {name!r} {until}: {says}" for name, (_, says) in CANNOT_BE.items()]
    assert await serving.stop() == 0


async def test_hooks_that_raise_or_answer_garbage(place, site, receiver):
    """Only the event it is about is spoiled: it is recorded with the fault, the others are delivered as they were."""
    site.install("kites", KITES)
    await place.webhook(f"{receiver.url}/hook")
    serving = await place.serve(*ALLOW)
    faults = {
        "raise": "LookupError: no wind",
        "exit": "SystemExit: 3",
        "garbage": "answered dict, neither Reading nor Unreadable",
        "changes": "has changes, and its trigger does not say changes_directory",
    }
    bad = [kite(does, does=does) for does in faults]
    status, _, told = await publish(
        place,
        serving,
        kite("first"),
        *bad,
        kite("write", does="write"),
        a_portal_event("last"),
        kite("dawdle", does="dawdle"),
    )
    assert (status, told["accepted"]) == (200, 8)
    assert {one["id"]: one.get("note") for one in told["events"]} == {
        "first": None,
        "write": None,
        "last": None,
        "dawdle": None,
    } | {does: f"the plugin 'kites' could not read it: {fault}" for does, fault in faults.items()}
    for _ in range(4):
        await receiver.next()
    assert len((await place.ask(deliveries.LIST, deliveries.ListDeliveries())).deliveries) == 4
    status, answer = await health(serving)
    assert status == 200
    assert answer["notes"][0].startswith("plugin 'kites' failed 4 times, ")
    kites = (await plugin(place, "kites"))["serve"]
    assert (kites["faults"], kites["slow"] > 0, kites["fault"]) == (4, True, f"read_event: {faults['changes']}")
    table = (await place.run("plugins")).out
    assert "failed 4 times, the last at 20" in table
    assert "was slow" in table
    assert await serving.stop() == 0
    assert b"plugin 'kites': read_event failed (4 new, 4 since the start)" in await serving.process.stderr.read()


async def test_a_hook_that_hangs(place, site, receiver):
    """It is interrupted and named with its line; its plugin's events are refused for a while, others go their way."""
    site.install("kites", KITES)
    await place.webhook(f"{receiver.url}/hook")
    serving = await place.serve(*ALLOW)
    events = [a_portal_event("first"), kite("hang", does="hang"), kite("after")]
    status, headers, problem = await publish(place, serving, *events)
    assert (status, problem["limit"]) == (503, "HOOK_REST_S")
    assert 0 < int(headers["Retry-After"]) <= HOOK_REST_S + 1
    assert b"file.created" in (await receiver.next()).body
    status, _, told = await publish(place, serving, *events[:1], a_portal_event("other"))
    assert (status, told["duplicates"], told["accepted"]) == (200, 1, 1)
    status, answer = await health(serving)
    assert status == 200
    says = r"plugin 'kites' hung, and is not asked for \d+ s more; its events are answered 503"
    assert any(re.fullmatch(says, note) for note in answer["notes"])
    kites = (await plugin(place, "kites"))["serve"]
    assert kites["rests_s"] > 0
    assert re.search(r"did not answer within 3 s \(HOOK_S\), at line \d+ of kites\Z", kites["fault"])
    assert await serving.stop() == 0
    log = (await serving.process.stderr.read()).decode()
    assert re.search(r"plugin 'kites' hung: read_event did not answer within 3 s \(HOOK_S\), at line \d+ of kites", log)


async def test_commands_work_beside_a_broken_plugin(place, site):
    """Who looks after things without `serve` can: what does not need the plugin is done, and the fault is said."""
    site.install("kites", "1 / 0")
    made = await place.run("token", "create", "--role", "portal", "--json")
    assert made.code == 0
    assert "plugin 'kites' cannot be loaded: kites cannot be imported: ZeroDivisionError" in made.err
    refused = await place.run("webhooks", "create", "x", "https://example.com/", "--trigger", "kite.flown")
    assert (refused.code, refused.out) == (2, "")
    assert "no plugin knows the trigger 'kite.flown'; plugins that cannot be loaded: 'kites'" in refused.err
    listed = await place.run("triggers")
    assert (listed.code, "file.created" in listed.out) == (0, True)
    assert listed.err.startswith("the triggers of plugin 'kites' are missing: kites cannot be imported")
