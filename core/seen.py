"""How far views have come that another process follows: what one has just made is waited for until it is listed."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from core.ledger.view_store import FED, SharedViews

AGAIN_S = 0.02
"""How long until it is looked again, the first time."""
AGAIN_MAX_S = 0.25
"""The same, after some times."""


class Shared:
    """Views in a database, as who only reads them sees them."""

    def __init__(self, views: SharedViews, executor: Executor) -> None:
        self._views, self._executor = views, executor
        self.seen = 0
        """Up to where they all held the ledger when it was last looked."""

    async def reach(self, position: int) -> None:
        """Wait until they hold what stands at *position*; TimeoutError when nobody follows them just now."""
        loop = asyncio.get_running_loop()
        wait_s = AGAIN_S
        while True:
            seen = await loop.run_in_executor(self._executor, self._views.seen)
            self.seen = min((at for view, at in seen.items() if not view.startswith(FED)), default=0)
            if self.seen >= position:
                return
            if not await loop.run_in_executor(self._executor, self._views.is_led):
                raise TimeoutError("yet, and no process leads that would see to that")
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, AGAIN_MAX_S)
