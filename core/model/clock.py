"""The aggregate Clock: when the machine's clock was set. One stream, for all tenants."""

from __future__ import annotations

from core.model.event import Event


class Stepped(Event):
    """It was set ahead by so many milliseconds, or back where `by` is negative; `at` is what it said after that, and
    `tenant` is empty. What waits is due so much later, or sooner: a wait keeps its length, whatever the clock says."""

    by: int
