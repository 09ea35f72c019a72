"""An executor without threads: it does each thing some turns of the loop later, and a seed decides how many."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, Future


class Turns(Executor):
    """Blocks the loop while it works; until then, others have their turns."""

    def __init__(self, random, turns_max):
        self._random, self._turns_max = random, turns_max

    def submit(self, function, /, *args, **more):
        future: Future = Future()
        self._wait(self._random.randint(1, self._turns_max), future, lambda: function(*args, **more))
        return future

    def _wait(self, turns, future, work):
        if turns:
            asyncio.get_running_loop().call_soon(self._wait, turns - 1, future, work)
            return
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(error)
