"""What a stopped service leaves."""

from __future__ import annotations

from typing import NamedTuple


class Left(NamedTuple):
    """What a stopped service leaves: how many requests were finished, how many cut off, and how many deliveries wait,
    those cut off among them; None: that could not be read."""

    finished: int
    cut_off: int
    waiting: int | None
    is_shared: bool = False
    """Whether other processes go on with what waits."""

    @property
    def waits(self) -> str:
        """The same in words."""
        if self.waiting is not None:
            return f"{self.waiting:,} deliveries wait in the outbox"
        if self.is_shared:
            return "whoever leads goes on with what waits in the outbox"
        return "an unknown number of deliveries wait in the outbox"

    def __str__(self) -> str:
        when = "due again" if self.is_shared else "due again at the next start"
        return (
            f"stopped: {self.finished:,} deliveries under way were finished, {self.cut_off:,} cut off and {when}; "
            f"{self.waits}"
        )
