"""`hookledger publish`: a file of portal events, each accepted once, whoever is killed on the way."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from core.ledger.read import Reader
from core.ledger.sqlite import SqliteRecorder
from core.limits import FEED_REFUSED_SHOWN_MAX
from core.model.portal_event import Received
from core.model.topics import Codec
from tests.end_to_end.place import ALLOW, DEADLINE_S, a_portal_event

MANY = 20_000
FLAT_KIB = 6 * 1024
"""What memory may differ by; the larger file has almost that many bytes, and as objects ten times as many."""
CLOUD = {"specversion": "1.0", "source": "/portals/1", "type": "file.created", "data": {"id": 1}}


def written(count: int, name: str = "e") -> bytes:
    """So many events, one a line."""
    return b"".join(json.dumps(a_portal_event(f"{name}-{number}")).encode() + b"\n" for number in range(count))


def write_lines(path: Path, count: int, name: str = "e") -> Path:
    path.write_bytes(written(count, name))
    return path


def received(data: Path) -> list[Received]:
    """The portal events in the ledger, in its order."""
    recorder = SqliteRecorder(data / "ledger.sqlite")
    reader, events, position = Reader(recorder, Codec()), [], 0
    try:
        while some := reader.after(position, 10_000):
            events += [recorded.event for recorded in some if isinstance(recorded.event, Received)]
            position = some[-1].position
    finally:
        recorder.close()
    return events


def count_of(data: Path) -> int:
    """How many claims there are: one for each event that was accepted."""
    ledger = sqlite3.connect(f"file:{data / 'ledger.sqlite'}?mode=ro", uri=True)
    try:
        return ledger.execute("SELECT count(*) FROM claims").fetchone()[0]
    finally:
        ledger.close()


async def until(data: Path, count: int) -> None:
    """Until so many events were accepted."""
    async with asyncio.timeout(3 * DEADLINE_S):
        while await asyncio.to_thread(count_of, data) < count:
            pass


@pytest.fixture(name="ready")
async def _ready(place):
    """A place whose ledger has been begun."""
    await place.token()
    return place


async def test_every_form_of_a_file_is_published(ready, tmp_path):
    """One event on many lines, an array, lines; plain events and CloudEvents; from a file and from a pipe."""
    one, array, lines = tmp_path / "one.json", tmp_path / "array.json", tmp_path / "lines.ndjson"
    one.write_text(json.dumps(a_portal_event("a"), indent=2))
    array.write_text(json.dumps([a_portal_event("b"), {**CLOUD, "id": "c"}], indent=1))
    lines.write_text("\n".join(map(json.dumps, [a_portal_event("d"), {**CLOUD, "id": "e"}, a_portal_event("f")])))
    for file, accepted in ((one, 1), (array, 2)):
        ran = await ready.run("publish", str(file), "--json")
        assert ran.code == 0, ran.err
        assert (ran.json["accepted"], ran.json["duplicates"], ran.json["rejected"]) == (accepted, 0, 0)
        assert set(ran.json) == {"accepted", "duplicates", "rejected", "seconds", "per_s"}
    ran = await ready.run("publish", "-", stdin=lines.read_text())
    assert ran.code == 0
    assert ran.out.startswith("3 accepted, 0 duplicates, 0 rejected, in ")
    again = await ready.run("publish", str(one))
    assert again.out.startswith("0 accepted, 1 duplicate, 0 rejected, in ")
    assert [event.id for event in received(ready.data)] == list("abcdef")
    assert {event.source for event in received(ready.data)} == {("operator",)}


async def test_what_is_published_without_serve_is_delivered_at_its_next_start(place, receiver, tmp_path):
    """Nothing has to run: deliveries are made at once, and wait."""
    made = await place.webhook(receiver.url)
    file = write_lines(tmp_path / "lines", 3)
    assert (await place.run("publish", str(file))).code == 0
    await place.serve(*ALLOW)
    bodies = [json.loads((await receiver.next()).body) for _ in range(3)]
    assert {body["webhook"]["id"] for body in bodies} == {made.id}


async def test_what_is_rejected_is_told_and_the_rest_is_accepted(ready):
    """Each with its line and reason, so many at most; the exit code says that not all was taken."""
    lines = [
        json.dumps(a_portal_event("good")),
        "{",
        json.dumps({"id": "x"}),
        "",
        json.dumps(a_portal_event("y", data={})),
    ]
    ran = await ready.run("publish", "-", "--json", stdin="\n".join(lines))
    assert ran.code == 1
    assert (ran.json["accepted"], ran.json["rejected"]) == (1, 3)
    assert ran.err.splitlines() == [
        "line 2: $: not JSON: it ends too early",
        "line 3: $.type: missing",
        "line 5: $.data.id: expected int or str",
    ]
    ran = await ready.run("publish", "-", stdin="{}\n" * (FEED_REFUSED_SHOWN_MAX + 7))
    assert ran.code == 1
    assert len(ran.err.splitlines()) == FEED_REFUSED_SHOWN_MAX + 1
    assert ran.err.splitlines()[-1].startswith("and 7 more")


async def test_a_tenant_is_said_once(ready):
    """Events of another tenant than --tenant are rejected; those that name none are of that one."""
    lines = [
        json.dumps(a_portal_event("a")),
        json.dumps(a_portal_event("b", tenant="7")),
        json.dumps({**CLOUD, "id": "c"}),
    ]
    ran = await ready.run("publish", "-", "--tenant", "7", stdin="\n".join(lines))
    assert ran.err == "line 3: $.tenant: not yours\n"
    assert [(event.tenant, event.id) for event in received(ready.data)] == [("7", "a"), ("7", "b")]


@pytest.mark.parametrize(
    ("words", "stdin", "code", "says"),
    [
        (("nowhere.json",), "", 2, "No such file"),
        (("-", "--token", "-"), "", 2, "--token is for --url"),
        (("-", "--url", "http://127.0.0.1:9", "--token", "-"), "", 2, "cannot both be on standard input"),
        (("-", "--url", "http://127.0.0.1:9", "--token", "hlt_x"), "", 2, "never an argument"),
        (("-", "--tenant", ""), "{}", 2, "a tenant has 1 to 100 characters"),
        (("-",), '[{"id": "a"}', 1, "the file ends before its array does"),
    ],
)
async def test_what_was_said_wrongly_is_told(ready, words, stdin, code, says):
    """Words that cannot be meant end with 2, a file that cannot be taken with 1, and both say why."""
    ran = await ready.run("publish", *words, stdin=stdin)
    assert ran.code == code
    assert says in ran.err


@pytest.mark.parametrize("token", ["hlt_a\x01b", "hlt_\x00", "hlt_é"])
async def test_what_cannot_be_a_token_is_said_so(ready, tmp_path, token):
    """A file that is another one: one line, before anything is sent."""
    file = tmp_path / "events"
    file.write_bytes(written(1))
    ran = await ready.run("publish", str(file), "--url", "http://127.0.0.1:9", "--token", "-", stdin=f"{token}\n")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "is not a token" in ran.err


async def test_a_ledger_is_not_begun_by_the_way(place):
    """Publishing to a directory without a ledger is a misspelt --data."""
    ran = await place.run("publish", "-", stdin="{}")
    assert ran.code == 1
    assert "there is no ledger in" in ran.err
    assert not place.data.exists()


async def test_the_order_of_the_file_is_the_order_of_the_ledger(ready, tmp_path):
    """Though several batches are under way at once, over the socket as without it."""
    first, second = write_lines(tmp_path / "first", 6_000, "a"), write_lines(tmp_path / "second", 6_000, "b")
    assert (await ready.run("publish", str(first))).code == 0
    serving = await ready.serve()
    assert (await ready.run("publish", str(second))).code == 0
    await serving.stop()
    ids = [event.id for event in received(ready.data)]
    assert ids == [f"{name}-{number}" for name in "ab" for number in range(6_000)]


async def test_over_http_it_is_the_same(ready, tmp_path):
    """With a token, to any `serve`: in order, rejected entries with their lines."""
    file = write_lines(tmp_path / "lines", 2_500)
    file.write_text(file.read_text() + "{}\n" + json.dumps(a_portal_event("y", data={})))
    serving = await ready.serve()
    token = await ready.token()
    ran = await ready.run("publish", str(file), "--url", serving.url, "--token", "-", "--json", stdin=token)
    assert (ran.json["accepted"], ran.json["rejected"], ran.code) == (2_500, 2, 1)
    assert ran.err.splitlines() == ["line 2501: $.id: missing", "line 2502: $.data.id: expected int or str"]
    wrong = await ready.run("publish", str(file), "--url", serving.url, "--token", "-", stdin=token + "x")
    assert (wrong.code, wrong.out) == (1, "")
    assert "no such token" in wrong.err
    await serving.stop()
    assert [event.id for event in received(ready.data)] == [f"e-{number}" for number in range(2_500)]


@pytest.mark.timeout(240)
async def test_each_is_accepted_once_whoever_is_killed(ready, tmp_path):
    """`serve` is killed under it, and started again: it goes on. It is killed itself, and typed again: the rest."""
    file = write_lines(tmp_path / "lines", MANY)
    serving = await ready.serve()
    publishing = await ready.start("publish", str(file), "--json")
    await until(ready.data, MANY // 4)
    serving.process.kill()
    await serving.process.wait()
    assert count_of(ready.data) < MANY
    serving = await ready.serve()
    await until(ready.data, MANY // 2)
    publishing.kill()
    await publishing.wait()
    before = await asyncio.to_thread(count_of, ready.data)
    assert before < MANY
    again = await ready.run("publish", str(file), "--json")
    assert (again.code, again.json["rejected"]) == (0, 0)
    assert again.json["accepted"] + again.json["duplicates"] == MANY
    assert again.json["accepted"] <= MANY - before
    await serving.stop()
    assert b"Traceback" not in await serving.process.stderr.read()
    ids = [event.id for event in received(ready.data)]
    assert Counter(ids) == Counter(f"e-{number}" for number in range(MANY))


async def test_it_waits_for_a_serve_that_is_away(ready):
    """It says that it waits, and for whom; and goes on, in order, when somebody is there."""
    serving = await ready.serve()
    publishing = await ready.start("publish", "-", "--json")
    publishing.stdin.write(written(500, "before"))
    await until(ready.data, 500)
    serving.process.kill()
    await serving.process.wait()
    publishing.stdin.write(written(4_000, "after"))
    async with asyncio.timeout(DEADLINE_S):
        said = await publishing.stderr.readline()
    assert said.startswith(b"`hookledger serve` does not answer")
    serving = await ready.serve()
    publishing.stdin.close()
    async with asyncio.timeout(3 * DEADLINE_S):
        out, _ = await publishing.communicate()
    told = json.loads(out)
    assert (publishing.returncode, told["accepted"] + told["duplicates"]) == (0, 4_500)
    await serving.stop()
    ids = [event.id for event in received(ready.data)]
    assert ids == [f"before-{n}" for n in range(500)] + [f"after-{n}" for n in range(4_000)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 1)])
async def test_it_can_be_stopped_and_typed_again(ready, number, code):
    """Ctrl-C: it says how far it came, and that typing it again is safe; which it is. Nothing has to come for that."""
    publishing = await ready.start("publish", "-", "--json")
    publishing.stdin.write(written(1_500))
    await until(ready.data, 1_500)
    publishing.send_signal(number)
    async with asyncio.timeout(DEADLINE_S):
        await publishing.wait()
    assert publishing.returncode == code
    assert b"Type it again" in await publishing.stderr.read()
    assert json.loads(await publishing.stdout.read())["accepted"] == 1_500
    again = await ready.run("publish", "-", "--json", stdin=written(2_000).decode())
    assert (again.json["accepted"], again.json["duplicates"]) == (500, 1_500)


async def peak_kib(process: asyncio.subprocess.Process) -> int:
    """The most memory a process had until it ended."""
    ending = asyncio.ensure_future(process.wait())
    peak = 0
    while not ending.done():
        peak = max(peak, await asyncio.to_thread(_peak_kib, process.pid))
    return peak


def _peak_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


async def test_memory_is_flat(ready, tmp_path, tell):
    """Ten times the file takes no more memory, in lines as in an array on one line."""
    few, many, array = tmp_path / "few", tmp_path / "many", tmp_path / "array"
    few.write_bytes(written(MANY // 10, "few"))
    many.write_bytes(written(MANY, "many"))
    array.write_bytes(b"[" + written(MANY, "array").strip().replace(b"\n", b",") + b"]")
    await ready.serve()
    peaks = {}
    for file in (few, many, array):
        publishing = await ready.start("publish", str(file))
        peaks[file] = await peak_kib(publishing)
        assert publishing.returncode == 0
    tell({file.name: f"{file.stat().st_size // 1024} KiB file, {peak} KiB peak" for file, peak in peaks.items()})
    assert 0 < peaks[many] < peaks[few] + FLAT_KIB
    assert 0 < peaks[array] < peaks[few] + FLAT_KIB
