"""What one worker process has of one partition of the deliveries' topic."""

from __future__ import annotations

import asyncio

from delivery.station.progress import Progress


class Share:
    """From when the partition became ours until it is let go."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.begun = 0
        """Attempts whose outcome the ledger has not."""
        self.is_let_go = False
        """It is to be another's: nothing more is begun."""
        self._at_rest: asyncio.Future[None] | None = None

    def end(self) -> None:
        """One of them is recorded, or was not made after all."""
        self.begun -= 1
        if not self.begun and self._at_rest is not None and not self._at_rest.done():
            self._at_rest.set_result(None)

    async def at_rest(self) -> None:
        """Wait until nothing is under way."""
        while self.begun:
            if self._at_rest is None or self._at_rest.done():
                self._at_rest = asyncio.get_running_loop().create_future()
            # Another may wait for the same, and longer.
            await asyncio.shield(self._at_rest)
