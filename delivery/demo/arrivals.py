"""What the demo's receiver reports: each request as it arrives, shown and counted."""

from __future__ import annotations

import asyncio

import msgspec
from rich.console import Console
from rich.text import Text

from core.errors import HookledgerError
from delivery.listen import VERDICT_STYLES, RequestReport

ARRIVE_S = 40.0
"""Retries are due after 5 s; this is for slow machines."""
HEADING = Text("  event.id  trigger           webhook      answer  x-docspace-signature-256  webhook-signature", "dim")


class Arrivals:
    """All requests the receiver got, in their order."""

    def __init__(self, console: Console, lines: asyncio.StreamReader) -> None:
        self._console, self._lines = console, lines
        self.requests: list[RequestReport] = []
        self._delivered: set[str] = set()
        self._expected: int | None = None
        self._done = asyncio.Event()

    async def read(self) -> None:
        """Until the receiver ends."""
        try:
            while line := await self._lines.readline():
                self._take(msgspec.json.decode(line, type=RequestReport))
        finally:
            self._done.set()

    def _take(self, report: RequestReport) -> None:
        if not self.requests:
            self._console.print(HEADING, soft_wrap=True)
        self._console.print(_line(report), soft_wrap=True)
        self.requests.append(report)
        if 200 <= report.status < 300:
            self._delivered.add(report.delivery)
        self._look()

    async def wait(self, expected: int) -> None:
        """Until *expected* deliveries have been taken; HookledgerError when that takes too long."""
        self._expected = expected
        self._look()
        try:
            async with asyncio.timeout(ARRIVE_S):
                await self._done.wait()
        except TimeoutError:
            pass
        if len(self._delivered) < expected:
            raise HookledgerError(f"{len(self._delivered)} of {expected} deliveries arrived within {ARRIVE_S:g} s")

    def _look(self) -> None:
        if self._expected is not None and len(self._delivered) >= self._expected:
            self._done.set()

    @property
    def signatures(self) -> tuple[int, int]:
        """How many there should be, and how many of them hold: two in each request."""
        verdicts = [verdict for report in self.requests for verdict in (report.docspace, report.standard)]
        return len(verdicts), verdicts.count("verified")

    @property
    def retried(self) -> list[RequestReport]:
        """Requests that were not the first of their delivery."""
        return [report for report in self.requests if report.retry]


def _line(report: RequestReport) -> Text:
    good = 200 <= report.status < 300
    return Text.assemble(
        f"  {report.event or 0:>8}  {report.trigger or '?':<18}{report.path:<13}",
        (f"{report.status:<8}", "green" if good else "bold red"),
        (f"{report.docspace:<26}", VERDICT_STYLES[report.docspace]),
        (f"{report.standard:<19}", VERDICT_STYLES[report.standard]),
        (f"retry {report.retry}" if report.retry else "", "yellow"),
    )
