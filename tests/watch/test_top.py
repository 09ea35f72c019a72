"""`hookledger top`: how things stand and which webhooks stand out, on a screen of any size, or as JSON."""

from __future__ import annotations

import asyncio
import io
import json
import signal

import msgspec
import pytest
from aiohttp import ClientSession
from rich.console import Console

from core.carried import Carried, LaneTold
from core.errors import HookledgerError, InvalidInputError
from core.operations.top import TOP, AskTop, Spread, TopTold
from core.top_rates import Percentiles, seen
from core.top_screen import screen
from delivery.sender import Answered
from tests.builders import open_office
from tests.delivery.outbox.stage import OK, Stage
from tests.end_to_end.place import ALLOW, DEADLINE_S, a_portal_event
from tests.end_to_end.terminal import on_a_terminal
from tests.watch.readings import scrape

NASTY = "\x1b[2J[bold]two\nlines[/bold] and much more than there is room for"
LANE = LaneTold(7, NASTY, 1_234_567, 123_456, 90_061_000, 64, 64, 29_999, False, 99_999, "2026-11-24T10:00:00Z", None)
CARRIED = Carried(
    (), 12_345_678, 1_234_567, 90_061_000, 8_192, 128, 9_999, 2_048, 64_000,
    {"all": 100_000, "hanging": 1_000, "held": 10, "failing": 500, "spilled": 900},
    (LANE,) * 9, (LANE,) * 9, (LANE,) * 9,
)  # fmt: skip
TOLD = TopTold(
    "0.1.0", "2026-11-24T10:00:00.250Z", 100.0, 5.0, 2**28, 1_000, 10, 5, 3_000, 2_000, 50, 1, 2, 9_999,
    Spread((1, 2), (10, 0, 0)), 0, 12, Spread((10, 100), (50, 50, 0)), Spread((10, 100), (0, 0, 0)),
    {"history": 40, "outbox": 2_500}, CARRIED,
)  # fmt: skip


def later(**given) -> TopTold:
    """The same service, two seconds later."""
    return msgspec.structs.replace(TOLD, **{"clock_s": 102.0, "cpu_s": 6.0, **given})


def shown(found, width: int, height: int | None) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(screen(found, "/var/lib/hookledger", width, height), crop=False)
    return console.file.getvalue().splitlines()


@pytest.fixture(name="stage")
async def _stage(tmp_path):
    stage = Stage(tmp_path / "data")
    await stage.service.start()
    yield stage
    await stage.service.stop()


async def test_those_that_stand_out_are_told_first(stage):
    """Who hangs, who fails in a row, and who has most to do; a disabled webhook is not among them."""
    go_on = asyncio.Event()

    async def hang() -> Answered:
        await go_on.wait()
        return OK

    def answer(url: str, _: dict):
        name = url.rpartition("/")[2]
        return hang() if name == "hangs" else Answered({"gone": 410, "fails": 500}.get(name, 200), (), b"", False)

    stage.sender.answer = answer
    numbers = {name: (await stage.webhook(name))[0] for name in ("good", "fails", "hangs", "gone")}
    for number in range(6):
        await stage.event(f"e{number}")
    await stage.wait(3)
    told = await TOP.run(stage.service.office, AskTop())
    carried = told.carried
    assert (told.accepted, told.delivered, told.failed) == (6, 6, 0)
    assert told.created == told.delivered + told.cancelled + carried.open
    assert [lane.webhook for lane in carried.slowest[:1]] == [numbers["hangs"]]
    assert [(lane.webhook, lane.failed) for lane in carried.failing] == [(numbers["fails"], 6)]
    assert {(lane.webhook, lane.open, lane.due) for lane in carried.fullest} == {
        (numbers["fails"], 6, 0), (numbers["hangs"], 6, 6)
    }  # fmt: skip
    assert (carried.open, carried.due, carried.overdue_ms, carried.old, carried.young) == (12, 6, 3_000, 4, 0)
    assert (carried.lanes["all"], carried.lanes["hanging"]) == (4, 1)
    assert carried.reasons == ()
    assert msgspec.json.decode(msgspec.json.encode(told), type=TopTold) == told
    go_on.set()
    await stage.wait(1)
    assert (await TOP.run(stage.service.office, AskTop())).carried.open == 6


async def test_only_so_many_are_told(stage):
    """The limit is what was asked for, and that has one itself."""
    stage.sender.answer = lambda _url, _body: Answered(500, (), b"", False)
    for number in range(5):
        await stage.webhook(f"w{number}")
    await stage.event("e1")
    await stage.wait(1)
    assert len((await TOP.run(stage.service.office, AskTop(2))).carried.failing) == 2
    with pytest.raises(InvalidInputError, match="1 to 100"):
        await TOP.run(stage.service.office, AskTop(101))


async def test_an_office_without_delivery_has_nothing_to_tell(tmp_path):
    """Who opens the ledger without `serve` delivers nothing: it says what to start."""
    office = open_office(tmp_path / "data")
    with pytest.raises(HookledgerError, match="start `hookledger serve`"):
        await TOP.run(office, AskTop())
    await office.close()


def test_rates_are_differences():
    """Counters of two looks, by the time between them; percentiles of what ended in between alone."""
    now = later(accepted=1_100, delivered=2_500, commits=Spread((1, 2), (10, 4, 0)),
                deliveries_ms=Spread((10, 100), (50, 150, 0)))  # fmt: skip
    rates = seen(TOLD, now).rates
    assert (rates.over_s, rates.accepted, rates.delivered, rates.commits, rates.cpu) == (2, 50, 250, 2, 0.5)
    assert rates.delivery_ms == Percentiles(55, 99.1)
    assert rates.attempt_ms == Percentiles(None, None)


@pytest.mark.parametrize("before", [None, later(accepted=1_001, clock_s=50.0), later(clock_s=200.0)])
def test_there_are_no_rates_across_a_restart(before):
    """Neither at the first look, nor when counters began anew."""
    assert seen(before, TOLD).rates is None


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (130, 50), (60, 10), (40, 5)])
def test_a_screen_fits_the_terminal(size):
    """Whatever the numbers and names are, nothing is wider or higher than there is room for."""
    width, height = size
    for found in (seen(None, TOLD), seen(TOLD, later())):
        lines = shown(found, width, height)
        assert max(map(len, lines)) <= width
        assert len(lines) <= max(height, 9)
        assert "\x1b" not in "".join(lines)


def test_a_usual_terminal_shows_all_three_lists():
    """80 columns and 24 lines hold the totals, and somebody of each kind."""
    lines = shown(seen(TOLD, later(accepted=3_000)), 80, 24)
    assert "1,000.0" in "".join(lines)
    assert [word for word in ("SLOWEST", "FAILING", "MOST TO DO") if not any(word in line for line in lines)] == []
    assert "NOT READY" not in lines[0]


def test_why_it_is_not_ready_is_said_on_top():
    """The reasons stand where one looks first."""
    told = msgspec.structs.replace(TOLD, carried=msgspec.structs.replace(CARRIED, reasons=("the disk is full",)))
    lines = shown(seen(None, told), 80, 24)
    assert "NOT READY" in lines[0]
    assert lines[1] == "the disk is full"


async def test_without_serve_it_says_what_to_start(place):
    """One line, and 1: there is nothing to watch."""
    ran = await place.run("top", "--once")
    assert (ran.code, ran.out) == (1, "")
    assert (
        ran.err
        == f"hookledger: nobody serves {place.data}: start `hookledger serve`, or say where it runs with --data\n"
    )


async def test_once_for_people_and_for_programs(place, receiver):
    """A table without colours in a pipe; one JSON object; and a terminal's width on a terminal."""
    serving = await place.serve(*ALLOW)
    hook = await place.webhook(receiver.url)
    async with ClientSession(serving.url, headers={"Authorization": f"Bearer {await place.token()}"}) as session:
        await session.post("/api/ledger/events", json=a_portal_event())
    await receiver.next()
    piped, as_json, drawn = await asyncio.gather(
        place.run("top", "--once"),
        place.run("top", "--once", "--json"),
        on_a_terminal(place, "top", "--once", columns=80),
    )
    assert [ran.code for ran in (piped, as_json, drawn)] == [0, 0, 0]
    assert piped.out.startswith("hookledger ")
    assert f"  ready  {place.data}  " in piped.out
    assert "\x1b" not in piped.out
    told = json.loads(as_json.out)
    assert (told["now"]["accepted"], told["now"]["delivered"]) == (1, 1)
    assert {lane["webhook"] for lane in told["now"]["carried"]["slowest"]} <= {hook.id}
    assert told["rates"]["over_s"] >= 0.9
    assert "accepted" in drawn.out


async def test_it_watches_until_it_is_told_to_end(place):
    """Ctrl-C is how it ends, and no failure; each look is one line of JSON."""
    await place.serve()
    process = await place.start("top", "--json", "--every", "0.2")
    async with asyncio.timeout(DEADLINE_S):
        looks = [json.loads(await process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert looks[0]["now"]["clock_s"] < looks[1]["now"]["clock_s"]
    assert (process.returncode, err) == (0, b"")


async def test_on_a_terminal_it_draws_until_serve_ends(place):
    """It takes the whole screen, gives it back, and says why it ends."""
    serving = await place.serve()
    watching = asyncio.create_task(on_a_terminal(place, "top", "--every", "0.2", columns=80))
    async with asyncio.timeout(DEADLINE_S):
        asked = 0.0
        while asked < 4 and not watching.done():
            found = (await scrape(serving.url)).by_labels("hookledger_http_requests_total")
            asked = found.get(("POST", "/operator/{name}", "200"), 0)
    await serving.stop()
    ran = await watching
    enter, leave = "\x1b[?1049h", "\x1b[?1049l"
    assert ran.out.index(enter) < ran.out.index("backlog") < ran.out.index(leave)
    assert f"hookledger: nobody serves {place.data}" in ran.out.rpartition(leave)[2].replace("\n", "")
    assert ran.code == 1
