"""Random bytes from the operating system, drawn in blocks: a call for each id and salt would cost more than either."""

from __future__ import annotations

import os
from collections.abc import Callable

BLOCK_BYTES = 8_192


class Randomness:
    """Answers with as many random bytes as asked; each byte is given out once. Not for two threads at once."""

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        self._source = source
        self._block = b""
        self._used = 0

    def __call__(self, n: int) -> bytes:
        used = self._used
        end = used + n
        if end > len(self._block):
            self._block = self._source(max(n, BLOCK_BYTES))
            used, end = 0, n
        self._used = end
        return self._block[used:end]
