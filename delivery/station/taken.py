"""Which attempts a worker has taken off the deliveries' topic, so that a second record of one is known as such."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from core.limits import CARRY_S

AFTER_MS = round(CARRY_S * 1_000)
"""So long after `until` no record of the same handing out is attempted any more, and it need not be known."""


def key_of(delivery: int, attempt: int) -> int:
    """One number for both; there are fewer than 256 attempts."""
    return delivery << 8 | attempt


class Memory:
    """Attempts by their key, each until the time to which its record was good; all times are the outbox's."""

    def __init__(self) -> None:
        self._until: dict[int, int] = {}
        self._order: deque[tuple[int, Sequence[int]]] = deque()

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, key: int) -> bool:
        return key in self._until

    def is_known(self, key: int, handed_out: int) -> bool:
        """Whether a record that was handed out then is a second one. After the first one's time it is a new one, since
        that came to nothing."""
        until = self._until.get(key)
        return until is not None and handed_out < until

    def add(self, keys: Sequence[int], until: int) -> None:
        """These are taken."""
        for key in keys:
            self._until[key] = until
        self._order.append((until, keys))

    def forget(self, key: int) -> None:
        """It was not begun, and never will be here: another record of it is as good as the first."""
        self._until.pop(key, None)

    def prune(self, now_ms: int) -> None:
        """Forget what is over."""
        while self._order and self._order[0][0] + AFTER_MS < now_ms:
            until, keys = self._order.popleft()
            for key in keys:
                if self._until.get(key) == until:
                    del self._until[key]
