"""Whether requests may be made at all: not while they could not be recorded, or it is not known what is due."""

from __future__ import annotations

from collections.abc import Callable


class Gate:
    """Open, unless somebody has a reason to shut it; whoever shut it opens it again, as often."""

    def __init__(self, on_open: Callable[[], None]) -> None:
        """*on_open* is called when nobody has a reason left."""
        self._on_open = on_open
        self.reasons = 0

    def shut(self) -> None:
        self.reasons += 1

    def open(self) -> None:
        self.reasons -= 1
        if not self.reasons:
            self._on_open()
