"""Who claims, renews and stands down, against a database that answers as the test says; the lease is half a second."""

from __future__ import annotations

import asyncio
import threading

import pytest
from eventsourcing.persistence import OperationalError

from core.clock import SystemClock
from core.errors import OverloadedError
from delivery.leading import Leading
from tests.builders import WAIT_S

LEASE_S = 0.5


class PlainLeader:
    """Says who leads as the database does, for one process; blocks while it is `away`."""

    def __init__(self):
        self.terms = 0
        self.is_taken = self.is_over = self.is_broken = False
        self.released = []
        self.answers = threading.Event()
        self.answers.set()

    def _ask(self):
        self.answers.wait(WAIT_S)
        if self.is_broken:
            raise OperationalError("the connection is closed")

    def claim(self):
        self._ask()
        if self.is_taken:
            return None
        self.is_over = False
        self.terms += 1
        return self.terms

    def renew(self, term):
        self._ask()
        return term == self.terms and not self.is_over

    def release(self, term):
        self._ask()
        self.released.append(term)

    def mark(self, _term, _attempts, _over, _for_s):
        self._ask()
        return None if self.is_over else 1


class Part:
    """A process's part: which terms it began and ended, in order."""

    def __init__(self):
        self.leader = PlainLeader()
        self.said = asyncio.Queue()
        self.fails = None
        self.leading = Leading(self.leader, SystemClock(), self._take_over, lambda: self.said.put_nowait("over"))

    async def _take_over(self, term):
        self.said.put_nowait(term.number)
        if self.fails is not None:
            raise self.fails

    async def hears(self, *said):
        """Wait until this has happened, and nothing else before it."""
        assert [await asyncio.wait_for(self.said.get(), WAIT_S) for _ in said] == list(said)


@pytest.fixture(name="part")
async def _part(monkeypatch):
    monkeypatch.setattr("delivery.leading.LEASE_S", LEASE_S)
    monkeypatch.setattr("delivery.leading.RENEW_S", LEASE_S / 5)
    monkeypatch.setattr("delivery.leading.LOOK_S", LEASE_S / 10)
    part = Part()
    part.leading.start()
    yield part
    part.leader.answers.set()
    await part.leading.stop()


async def test_who_is_not_answered_stands_down_when_its_lease_is_over(part):
    """Nobody has told it: it counts itself, from before it asked; and leads again when it may."""
    await part.hears(1)
    part.leader.answers.clear()
    await part.hears("over")
    assert part.leading.term is None
    part.leader.answers.set()
    await part.hears(2)


async def test_who_is_told_that_its_term_is_over_stands_down(part):
    """By a renewal, or by a mark that is refused."""
    await part.hears(1)
    part.leader.is_over = True
    await part.hears("over", 2)
    part.leader.is_over = True
    assert await part.leading.term.mark([(7, 1)], (), 40.0) is None
    await part.hears("over", 3)


async def test_a_fault_that_passes_within_the_lease_ends_nothing(part):
    """It is said in readiness as long as it lasts."""
    await part.hears(1)
    part.leader.is_broken = True
    async with asyncio.timeout(WAIT_S):
        while part.leading.fault is None:
            await part.leading.ask(lambda: None)
    part.leader.is_broken = False
    async with asyncio.timeout(WAIT_S):
        while part.leading.fault is not None:
            await part.leading.ask(lambda: None)
    assert (part.leading.term.number, part.said.empty()) == (1, True)


@pytest.mark.parametrize(
    "error", [OverloadedError("the ledger cannot write"), OperationalError("no"), ValueError("bug")]
)
async def test_who_cannot_take_over_lets_another_try(part, error):
    """Whatever it was that failed: it gives the term back at once, and tries again itself."""
    await part.hears(1)
    part.fails = error
    part.leader.is_over = True
    await part.hears("over", 2, "over", 3, "over")
    assert 2 in part.leader.released


async def test_who_retires_leads_no_more_and_says_so_once(part):
    """It gives its lease back, and claims nothing again, though nobody else does."""
    await part.hears(1)
    part.leading.retire()
    await part.hears("over")
    await part.leading.stop()
    assert (part.leader.released, part.leader.terms, part.said.empty()) == ([1], 1, True)


async def test_a_stop_does_not_wait_for_a_database_that_is_away(part, monkeypatch):
    """Others know by the end of the lease."""
    monkeypatch.setattr("delivery.leading.RELEASE_S", LEASE_S)
    await part.hears(1)
    part.leader.answers.clear()
    async with asyncio.timeout(WAIT_S / 2):
        await part.leading.stop()
    await part.hears("over")
    assert part.leader.released == []


async def test_who_stands_by_begins_when_it_may(part):
    """It looks again and again."""
    await part.hears(1)
    part.leader.is_taken = part.leader.is_over = True
    await part.hears("over")
    assert part.leading.term is None
    part.leader.is_taken = False
    await part.hears(2)
