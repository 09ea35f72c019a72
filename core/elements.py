"""JSON, cut into the bytes of its elements without decoding them, in whatever pieces it comes. Pure.

What a portal sent is kept as it was sent, so nothing goes through a decoder and back. Whether an element is JSON is
for its decoder to say: here only strings, brackets and commas are looked at.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

SPACE = b" \t\r\n"

# Groups are atomic and never possessive: until 3.11.5 Python's possessive groups miss what has alternatives within.
_STRING = rb'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"'
_PLAIN = rb'[^"\[\]{}]++|' + _STRING
_DEEP = re.compile(rb"(?>(?:" + _PLAIN + rb')*)(?:([\[{])|([\]}])|("))?', re.DOTALL)
"""Up to the next bracket, or to a string that does not end here."""
_AT_ONCE = 32
"""An element that is no deeper, and comes whole, is passed over in one step."""
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?>(?:\\.[^"\\]*+)*)(")?', re.DOTALL)
_OPENS, _CLOSES, _BROKEN_STRING, _COMMA = 1, 2, 3, 4


class Element(NamedTuple):
    """The bytes of one element, and the line it begins on; `raw` None: more bytes than were asked for."""

    line: int
    raw: bytes | None


class Elements:
    """Cuts one array, fed from behind its first bracket on; *line* is that bracket's. Keeps one element at a time."""

    def __init__(self, element_bytes_max: int, line: int = 1) -> None:
        self._bytes_max = element_bytes_max
        self._kept = b""
        """What has come of the element that has not ended; nothing of one that is too large."""
        self._line = line
        """Of the first byte in it."""
        self._seen = 0
        """So many bytes of it were looked at."""
        self._depth = 0
        self._is_in_string = False
        """Of an element that is too large."""
        self._too_large_on: int | None = None
        """The line on which such an element began."""
        self._count = 0
        self.is_whole = False
        """The array has ended."""
        self.behind = b""
        """What came behind it."""

    def feed(self, chunk: bytes) -> list[Element]:
        """The elements that have ended with these bytes."""
        data, begin, at = self._kept + chunk, 0, self._seen
        found: list[Element] = []
        if self._is_in_string:
            at = self._rest_of_string(data, at)
        while not self.is_whole and not self._is_in_string:
            match = (_DEEP if self._depth else _flat()).match(data, at)
            assert match is not None
            kind, at = match.lastindex, match.end()
            if kind == _OPENS:
                self._depth += 1
            elif kind == _CLOSES and self._depth:
                self._depth -= 1
            elif kind == _COMMA or (kind == _CLOSES and data[at - 1 : at] == b"]"):
                self.is_whole = kind == _CLOSES
                self._end(data[begin : at - 1], found)
                begin = at
            elif kind != _CLOSES:
                at -= kind == _BROKEN_STRING
                break
        if self.is_whole:
            self.behind, self._kept = (self.behind + data[begin:]).strip(SPACE)[:1], b""
        else:
            self._keep(data[begin:], at - begin)
        return found

    def _end(self, text: bytes, found: list[Element]) -> None:
        raw = text.strip(SPACE)
        on = self._line + text[: len(text) - len(text.lstrip(SPACE))].count(b"\n")
        self._line += text.count(b"\n")
        if self._too_large_on is not None:
            found.append(Element(self._too_large_on, None))
        elif len(raw) > self._bytes_max:
            found.append(Element(on, None))
        elif raw or self._count or not self.is_whole:
            found.append(Element(on, raw))
        self._count, self._too_large_on = self._count + 1, None

    def _keep(self, rest: bytes, seen: int) -> None:
        """Keep what has come of an element, as long as it can be one."""
        space = len(rest) - len(rest.lstrip(SPACE))
        rest = self._without(rest, min(space, seen))
        seen -= min(space, seen)
        if self._too_large_on is None and len(rest) > self._bytes_max:
            self._too_large_on = self._line
        if self._too_large_on is not None:
            rest, seen = self._without(rest, seen), 0
            if rest and not self._is_in_string:
                self._is_in_string = True
                rest = self._without(rest, self._rest_of_string(rest, 1))
        self._kept, self._seen = rest, seen

    def _without(self, data: bytes, count: int) -> bytes:
        self._line += data.count(b"\n", 0, count)
        return data[count:]

    def _rest_of_string(self, data: bytes, at: int) -> int:
        """Where the string that goes on at *at* ends, or where these bytes do; a last backslash waits for its other."""
        match = _REST_OF_STRING.match(data, at)
        assert match is not None
        self._is_in_string = match.lastindex is None
        return match.end()


def is_deeper(raw: bytes, depth_max: int) -> bool:
    """Whether arrays and objects of this JSON stand in each other more than *depth_max* deep."""
    # Every event passes here, and this takes two thirds of the time of counting them.
    if len(raw.split(b"[", depth_max + 1)) + len(raw.split(b"{", depth_max + 1)) - 2 <= depth_max:
        return False
    return _no_deeper(depth_max).fullmatch(raw) is None


@cache
def _no_deeper(depth: int) -> re.Pattern[bytes]:
    return re.compile(_nested(depth), re.DOTALL)


@cache
def _flat() -> re.Pattern[bytes]:
    """Up to the end of an element, or into one that is deep, or does not end here."""
    element = rb'(?>(?:[^"\[\]{},]++|' + _STRING + rb"|[\[{]" + _nested(_AT_ONCE - 1) + rb"[\]}])*)"
    return re.compile(element + rb'(?:([\[{])|([\]}])|(")|(,))?', re.DOTALL)


def _nested(depth: int) -> bytes:
    """What stands between brackets, with at most so many others in each other. Atomic all the way: it looks at
    nothing twice, so that nobody can write what takes long."""
    inside = rb"(?>(?:" + _PLAIN + rb")*)"
    for _ in range(depth):
        inside = rb"(?>(?:" + _PLAIN + rb"|[\[{]" + inside + rb"[\]}])*)"
    return inside
