"""A dispatch on a desk: its broker is a list, its directory says only who is enabled, its clock is turned by hand."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

from core.clock import moment
from delivery.dispatch import Dispatch
from delivery.rows import Row
from tests.invented import InventedClock

WEBHOOKS = (1, 2, 3)
CONTENT = SimpleNamespace(payload=b"12345")


class Desk:
    """A dispatch whose broker is a list, on a directory of webhooks that are on or off."""

    def __init__(self, *, young_max=5, old_max=500, webhooks=WEBHOOKS) -> None:
        self.clock = InventedClock()
        self.by_number = {number: SimpleNamespace(enabled=True) for number in webhooks}
        self.under_way: list[Row] = []
        self.answered: list[Row] = []
        self.set_aside: list[Row] = []
        self._numbers = count(1)
        directory = SimpleNamespace(by_number=self.by_number)
        self.dispatch = Dispatch(directory, self, self.clock, self.clock, young_max=young_max, old_max=old_max)
        self.dispatch.is_open = True
        self.dispatch.on_set_aside = self.set_aside.append
        self.lanes = [self.dispatch.lane(number) for number in webhooks]

    def put(self, row: Row) -> None:
        self.under_way.append(row)

    def offer(self, webhook: int, rows: int) -> int:
        """Offer so many rows; how many were taken."""
        taken = 0
        for _ in range(rows):
            row = Row(next(self._numbers), webhook, b"delivery", b"event", 1, 1, self.clock.now_ms())
            row.content = CONTENT
            taken += self.dispatch.offer(row)
        return taken

    def hand_out(self, webhook: int, rows: int) -> None:
        self.offer(webhook, rows)
        self.dispatch.hand_out()

    def finish(self, row: Row, *, is_good=True, holds_until=None) -> None:
        self.under_way.remove(row)
        self.answered.append(row)
        self.dispatch.finished(row, moment(self.clock), is_good=is_good, holds_until=holds_until)

    def of(self, webhook: int) -> list[Row]:
        return [row for row in self.under_way if row.webhook == webhook]

    def wait(self, ms: int) -> None:
        self.clock.turn_to(self.clock.now_ms() + ms)
