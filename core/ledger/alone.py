"""Units that are made while nobody else can append: the thread that holds the ledger's lock waits until the loop has
made them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from core.errors import LedgerError
from core.ledger.queue import Submitted, Wish
from core.ledger.store import Claims
from core.ledger.unit import Claim, Recorded, Unit

MAKE_S = 10.0
"""How long the thread waits for the loop to begin; long before that, the database has given the lock to others."""


class Alone:
    """The units of one such commit, made on the loop in the order of *wishes*, each on top of what was made before it.

    *begin* is called first, with what others have recorded.
    """

    def __init__(
        self,
        wishes: Sequence[Wish],
        begin: Callable[[Sequence[Recorded]], None],
        index: Claims,
        events_max: int,
    ) -> None:
        self._wishes, self._begin, self._index, self._events_max = wishes, begin, index, events_max
        self._loop = asyncio.get_running_loop()
        self.committing: list[Submitted] = [((), wish.on_answers) for wish in wishes]
        """What each wish came to. One for which there was no room any more stays without units, and is answered so."""

    def made(self, missed: Sequence[Recorded]) -> list[Unit]:
        """All units; called in the thread that holds the lock, and blocks. LedgerError when the loop does not turn."""
        made: Future[list[Unit]] = Future()
        self._loop.call_soon_threadsafe(self._make, missed, self._taken(), made)
        try:
            return made.result(MAKE_S)
        except TimeoutError:
            if made.cancel():
                raise LedgerError(f"this process is too busy: its event loop does not turn for {MAKE_S:g} s") from None
            return made.result()

    def _taken(self) -> dict[Claim, int | None]:
        keys = {claim: self._index.key(claim) for wish in self._wishes for claim in wish.claims}
        found = self._index.find(list(keys.values()))
        return {claim: found[key] for claim, key in keys.items() if key in found}

    def _make(self, missed: Sequence[Recorded], taken: dict[Claim, int | None], made: Future[list[Unit]]) -> None:
        if not made.set_running_or_notify_cancel():
            return
        units: list[Unit] = []
        n_events = 0
        try:
            self._begin(missed)
            for place, wish in enumerate(self._wishes):
                if n_events >= self._events_max:
                    break
                some = wish.make(taken)
                self.committing[place] = (some, wish.on_answers)
                units += some
                n_events += sum([len(unit.entries) for unit in some])
                taken.update({unit.claim: None for unit in some if unit.claim is not None})
        except BaseException as error:  # noqa: BLE001 -- the thread waits for it, whatever it was
            made.set_exception(error)
        else:
            made.set_result(units)
