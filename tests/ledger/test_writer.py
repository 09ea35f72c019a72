"""Group commit, the disk's failures, and the one process that may write."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import InvalidInputError, LedgerBusyError, OverloadedError
from core.ledger import claims
from core.ledger.unit import Claim, Duplicate, Entry, StaleStream, Unit
from core.limits import COMMIT_EVENTS_MAX
from tests.builders import NOW, SOURCE, WAIT_S, BusyDisk, neutral, open_office, sent, set_person, stream
from tests.tidy.tree import ROOT


@pytest.fixture(name="office")
async def _office(tmp_path):
    office = open_office(tmp_path)
    yield office
    await office.close()


def unit(number, version=1, **more):
    return Unit([neutral(number, version)], **more)


def commits(office):
    """First and last position of each."""
    return office.reader.recorder.rows("SELECT first, last FROM commits ORDER BY last")


async def append_while_busy(office, *wanted):
    """Append all of *wanted* while one commit is under way; what each was answered, that commit's first."""
    async with asyncio.timeout(WAIT_S):
        with BusyDisk(office) as disk:
            tasks = []
            for units in ([unit(0)], *wanted):
                tasks.append(asyncio.create_task(office.writer.append(units)))
                await disk.submitted()
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_during_a_commit_shares_the_next(office):
    """A hundred callers that come while a commit is under way are answered by one more commit, each with its own."""
    answers = await append_while_busy(office, *[[unit(number)] for number in range(1, 101)])
    assert answers == [[position] for position in range(1, 102)]
    assert commits(office) == [(1, 1), (2, 101)]


async def test_a_claim_that_waits_for_its_commit_is_held(office):
    """Who asks for a claim's holder hears of what was appended before, be it not committed yet; and takes nothing."""
    claim, free = Claim("event:1", "mine"), Claim("event:1", "nobody's")
    async with asyncio.timeout(WAIT_S):
        with BusyDisk(office) as disk:
            first = asyncio.create_task(office.writer.append([unit(0)]))
            await disk.submitted()
            second = asyncio.create_task(office.writer.append([unit(1, claim=claim)]))
            await disk.submitted()
            asked = asyncio.create_task(office.writer.holders([claim, free]))
            await disk.submitted()
        assert await asyncio.gather(first, second) == [[1], [2]]
        assert await asked == [2, None]
    assert await office.writer.append([unit(2, claim=free)]) == [3]


async def test_an_idle_ledger_commits_at_once(office):
    """Who comes alone waits for nobody."""
    for number in range(3):
        assert await asyncio.wait_for(office.writer.append([unit(number)]), WAIT_S) == [number + 1]
    assert commits(office) == [(1, 1), (2, 2), (3, 3)]


async def test_a_commit_has_a_limit(office):
    """What is too much for one commit goes into several, and a caller's units are never parted."""
    many = [[unit(1000 * caller + number) for number in range(900)] for caller in range(1, 12)]
    answers = await append_while_busy(office, *many)
    assert answers[1:] == [list(range(2 + 900 * n, 902 + 900 * n)) for n in range(11)]
    sizes = [last - first + 1 for first, last in commits(office)]
    assert len(sizes) > 2
    assert all(size % 900 in (0, 1) and size < COMMIT_EVENTS_MAX for size in sizes)


async def test_each_caller_gets_its_own_answers(office):
    """Who is refused does not touch who shared the commit."""
    claim = Claim("event:1", "a")
    answers = await append_while_busy(
        office, [unit(1), unit(1)], [unit(2, 2)], [unit(1, 2), unit(3, claim=claim)], [unit(4, claim=claim)], []
    )
    stale = [StaleStream(unit.stream, unit.version - 1) for unit in (neutral(1, 2), neutral(2, 1))]
    assert answers == [[1], [2, stale[0]], [stale[1]], [3, 4], [Duplicate(4)], []]


async def test_followers_hear_of_commits_in_order_and_without_a_gap(office):
    """What was committed is handed on as the objects they were, after their callers were answered."""
    segments, heard_at = [], []
    office.writer.follow(segments.append)

    def heard(answers):
        heard_at.append((answers, len(segments)))

    entry = unit(1)
    for units in ([entry, unit(1)], [unit(1)], [unit(2)]):
        office.writer.submit(units, heard)
    await asyncio.wait_for(office.writer.settle(), WAIT_S)
    stale = StaleStream(entry.entries[0].stream, 1)
    assert heard_at == [([1, stale], 0), ([stale], 1), ([2], 1)]
    assert [(segment.previous, segment.last) for segment in segments] == [(0, 1), (1, 2)]
    assert segments[0].events[0].event is entry.entries[0].event
    assert office.writer.head == 2


async def test_who_fails_at_its_answer_keeps_nobody_from_theirs(office, caplog):
    """A fault of one caller is logged, and the others in its commit, and who follows, hear of it all the same."""
    segments, heard = [], []
    office.writer.follow(segments.append)

    def fails(_answers):
        raise KeyError("odd")

    with BusyDisk(office) as disk:
        office.writer.submit([unit(0)], fails)
        await disk.submitted()
        for number in (1, 2, 3):
            office.writer.submit([unit(number)], fails if number == 1 else heard.append)
    await asyncio.wait_for(office.writer.settle(), WAIT_S)
    assert heard == [[3], [4]]
    assert [(segment.previous, segment.last) for segment in segments] == [(0, 1), (1, 4)]
    assert [record.line for record in caplog.records] == ["ledger.not_told"] * 2


async def test_a_full_disk_is_told_to_all_and_nothing_is_kept(office):
    """While the disk takes nothing, everybody in the commit is told to come again; when it does, they are taken."""
    await office.writer.append([unit(0)])
    writing = office.recorder.writing
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count={pages}")
    big = [Unit([neutral(number) for number in range(1000 * n, 1000 * n + 900)]) for n in (1, 2)]
    results = await asyncio.gather(*[office.writer.append([each]) for each in big], return_exceptions=True)
    for result in results:
        assert isinstance(result, OverloadedError)
        assert "full" in str(result)
        assert "nothing was kept" in str(result)
    assert "full" in office.writer.health.fault
    assert [each.position for each in office.reader.after(0)] == [1]
    writing.execute("PRAGMA max_page_count=1000000")
    assert await office.writer.append(big) == [2, 902]
    assert office.writer.health.fault is None
    assert commits(office) == [(1, 1), (2, 1801)]


async def test_who_brings_what_cannot_be_stored_is_told_and_nobody_else_is(office):
    """In one commit, one caller hears that theirs cannot be stored; the other's is taken, and the ledger is well."""
    wrong = Unit([Entry(stream(1), 1, set_person("\ud800"))])
    with BusyDisk(office) as disk:
        asking = [asyncio.create_task(office.writer.append([each])) for each in (unit(0), wrong, unit(2))]
        for _ in asking:
            await disk.submitted()
    first, refused, last = await asyncio.gather(*asking, return_exceptions=True)
    assert (first, last) == ([1], [2])
    assert isinstance(refused, InvalidInputError)
    assert office.writer.health.fault is None


async def test_a_failure_of_the_disk_fails_its_own_commit_only(tmp_path):
    """An error of the disk is the answer of all who were in that commit; those who wait for the next are taken."""
    office = open_office(tmp_path, commit_units_max=2)
    append, errors = office.appender.append, [None, sqlite3.OperationalError("disk I/O error")]

    def fails(units, now_ms):
        error = errors.pop(0) if errors else None
        if error is not None:
            raise error
        return append(units, now_ms)

    office.appender.append = fails
    answers = await append_while_busy(office, [unit(1)], [unit(2)], [unit(3)], [unit(1)])
    await office.close()
    assert [answers[0], *answers[3:]] == [[1], [2], [3]]
    for failed in answers[1:3]:
        assert isinstance(failed, OverloadedError)
        assert failed.retry_after_s >= 1


async def test_who_goes_away_does_not_undo_what_was_asked(office):
    """A caller that is cancelled while its commit waits hears nothing, and its units are judged like any others."""
    async with asyncio.timeout(WAIT_S):
        with BusyDisk(office) as disk:
            first = asyncio.create_task(office.writer.append([unit(1)]))
            await disk.submitted()
            gone = asyncio.create_task(office.writer.append([unit(2)]))
            await disk.submitted()
            gone.cancel()
        assert await first == [1]
        await office.writer.settle()
    assert gone.cancelled()
    assert await office.writer.append([unit(2, 2)]) == [3]


async def test_the_index_of_claims_is_written_beside_the_commits(tmp_path, monkeypatch):
    """When enough claims are young, they are written to the index while commits go on, and leave the memory."""
    monkeypatch.setattr(claims, "YOUNG_MAX", 8)
    office = open_office(tmp_path)
    with ThreadPoolExecutor(1) as background:
        office.writer._background = background
        for number in range(30):
            assert await office.writer.append([unit(number, claim=Claim("event:1", str(number)))]) == [number + 1]
    (in_index,) = office.appender.claims._reading.execute("SELECT count(*) FROM claims").fetchone()
    young = len(office.appender.claims._young)
    await office.close()
    assert in_index >= 8
    assert in_index + young == 30


async def test_what_was_answered_survives_a_power_cut(office):
    """The connection that writes waits for the disk at each commit, in write-ahead mode."""
    writing = office.recorder.writing
    assert writing.execute("PRAGMA synchronous").fetchone() == (2,)
    assert writing.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_data_directory_is_one_process_own(office, tmp_path):
    """A second one is refused with who holds it and what to do; when the first is gone, the next may."""
    with pytest.raises(LedgerBusyError, match=rf"pid {os.getpid()}.*--data") as refused:
        open_office(tmp_path)
    assert str(tmp_path) in str(refused.value)
    opens = (
        "import sys; from pathlib import Path; from core.errors import LedgerBusyError; from tests.builders import *\n"
        "try: open_office(Path(sys.argv[1]))\nexcept LedgerBusyError as error: print(error)"
    )
    command = [sys.executable, "-c", opens, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert said.decode().strip() == str(refused.value)


async def test_the_next_process_goes_on(tmp_path):
    """What one office recorded, the next one has: head, claims, directory, and times that do not go back."""
    first = open_office(tmp_path)
    await first.start()
    await first.intake.accept("1", sent({"id": "a", "type": "user.created", "data": {"id": "u1"}}), SOURCE)
    head = first.writer.head
    await first.close()
    second = open_office(tmp_path)
    await second.start()
    assert second.writer.head == head
    assert second.directory.tenant("1").people.person("u1").role == "user"
    (answer,) = await second.intake.accept("1", sent({"id": "a", "type": "file.moved"}), SOURCE)
    assert answer.is_duplicate
    assert answer.trigger == "user.created"
    assert await second.writer.append([unit(1)]) == [head + 1]
    assert second.reader.committed_at(head + 1) >= NOW
    await second.close()
