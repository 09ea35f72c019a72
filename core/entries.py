"""What stands in a file of entries: a JSON array, one entry a line, or a single entry; cut as it comes. Pure.

Which of them it is, its beginning tells. An array begins with a bracket. Where the first line is JSON there is one
entry a line; where it is not, and all of the file is, that is the one entry there is.
"""

from __future__ import annotations

from collections.abc import Callable

from core.elements import SPACE, Element, Elements
from core.errors import HookledgerError
from core.incoming import is_json

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Entries:
    """Cuts one file, however it is fed. Keeps no more of it than an entry may have, and a chunk."""

    def __init__(self, entry_bytes_max: int) -> None:
        self._bytes_max = entry_bytes_max
        self._begun = b""
        self._cut: Callable[[bytes], list[Element]] = self._begin
        self._array: Elements | None = None
        self._kept = b""
        """A line that has not ended; of one that is too large, its first part."""
        self._line = 1

    @property
    def is_array(self) -> bool:
        return self._array is not None

    def feed(self, chunk: bytes) -> list[Element]:
        """The entries that have ended with these bytes."""
        return self._cut(chunk)

    def close(self) -> list[Element]:
        """The entries that end with the file. HookledgerError when it ends too early, or goes on behind its array."""
        found: list[Element] = []
        if self._cut == self._begin:
            text = self._begun.strip(SPACE)
            if text and is_json(text) and len(text) <= self._bytes_max:
                return [Element(1 + self._space().count(b"\n"), text)]
            found = self._as_lines()
        if self._array is not None:
            if not self._array.is_whole:
                raise HookledgerError("the file ends before its array does; what came before it ended was read")
            if self._array.behind:
                raise HookledgerError("something stands behind the array; what is in it was read")
            return found
        return found + self._lines(b"\n")

    def _begin(self, chunk: bytes) -> list[Element]:
        self._begun = (self._begun + chunk).removeprefix(BYTE_ORDER_MARK)
        text = self._begun.lstrip(SPACE)
        if text.startswith(b"["):
            self._array = Elements(self._bytes_max, 1 + self._space().count(b"\n"))
            self._cut = self._array.feed
            return self._array.feed(text[1:])
        first, end, _ = text.partition(b"\n")
        if (end and is_json(first)) or len(text) > self._bytes_max:
            return self._as_lines()
        return []

    def _as_lines(self) -> list[Element]:
        self._cut = self._lines
        return self._lines(self._begun)

    def _space(self) -> bytes:
        """What stands before the first entry."""
        return self._begun[: len(self._begun) - len(self._begun.lstrip(SPACE))]

    def _lines(self, chunk: bytes) -> list[Element]:
        found: list[Element] = []
        lines = (self._kept + chunk).split(b"\n")
        for line in lines[:-1]:
            raw = line.strip(SPACE)
            if raw:
                found.append(Element(self._line, raw if len(raw) <= self._bytes_max else None))
            self._line += 1
        # One byte more than a line may have is enough to know that it has too many; and spaces are nothing.
        self._kept = lines[-1].lstrip(SPACE)[: self._bytes_max + 1]
        return found
