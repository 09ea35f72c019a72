"""Any bytes as a request of portal events: what is taken for an event is one by the page that portal authors read.

The judge reads the same bytes with Python's own JSON reader, and holds each member against docs/portal-events.md.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, NoReturn

from core.errors import InvalidInputError
from core.incoming import Checked, Rejected, events_of, lines_of
from core.limits import (
    EVENT_ACTOR_CHARS_MAX,
    EVENT_DEPTH_MAX,
    EVENT_ID_CHARS_MAX,
    EVENT_READER_CHARS_MAX,
    EVENT_READERS_MAX,
    EVENT_TYPE_CHARS_MAX,
)

MODULES = ("core.incoming", "core.elements")
TENANT = "1"
READER = re.compile(r"everyone|(user|group):.+|role:(admin|room-admin|user|guest)", re.DOTALL)
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)
HALF = re.compile("[\ud800-\udfff]")
MAYBE = object()
"""Neither must it be taken, nor must it be refused: the page does not say, or the judge cannot read it."""


def seeds() -> list[bytes]:
    full = {
        "id": "6d1c2a74",
        "tenant": "1",
        "type": "file.updated",
        "time": "2026-11-23T10:00:00.5+01:00",
        "actor": "7d2f",
        "readers": ["everyone", "user:a", "group:b", "role:room-admin"],
        "data": {"id": 991, "title": "\u00e9 \U0001f600", "deep": [[{"a": None}], 1.5e3, True]},
        "more": "\\\ud83d\ude00\\",
    }
    bare = {"id": "a", "type": "b.c", "data": {}}
    one = json.dumps(full).encode()
    two = json.dumps([bare, {**bare, "id": "\ud800"}, {**bare, "id": 5}, 7, full], ensure_ascii=True).encode()
    raw = json.dumps([bare, full], ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
    lines = b"\n".join((json.dumps(bare).encode(), b"", one, b"not json", b'{"id": "x'))
    return [b"\0" + one, b"\0" + two, b"\0" + raw, b"\1" + lines, b"\1" + one + b"\r\n", b"\0[]", b"\0 "]


def look(data: bytes) -> bool:
    """True when an event was taken. The first byte says which Content-Type it has."""
    if not data:
        return False
    body, by_line = data[1:], bool(data[0] & 1)
    expected = [event_of(line) for line in body.split(b"\n") if line.strip(b" \t\r\n")] if by_line else whole(body)
    try:
        found = (lines_of if by_line else events_of)(body, TENANT)
    except InvalidInputError:
        found = None
    if found is None or expected is None:
        assert expected is None or expected is MAYBE, (body, expected)
        assert not any(isinstance(one, Checked) for one in found or ()), (body, found)
        return False
    if expected is not MAYBE:
        assert len(found) == len(expected), (body, found, expected)
        for one, fact in zip(found, expected, strict=True):
            agree(one, fact)
    return any(isinstance(one, Checked) for one in found)


def whole(body: bytes) -> Any:
    """What each entry is, in order; None when the body is not JSON."""
    value = parsed(body)
    if value is None or value is MAYBE:
        return value
    return [fact_of(one) for one in value[0]] if isinstance(value[0], list) else [fact_of(value[0])]


def event_of(line: bytes) -> Any:
    value = parsed(line)
    return value if value is None or value is MAYBE else fact_of(value[0])


def parsed(text: bytes) -> Any:
    """The value in a tuple; None: not JSON. What is not UTF-8 becomes halves of characters."""
    try:
        said = text.decode("utf-8", "surrogateescape")
        return (json.loads(said, parse_constant=not_json, object_pairs_hook=members),)
    except (RecursionError, OverflowError):
        return MAYBE
    except ValueError as error:
        # Python reads no whole number of thousands of digits.
        return MAYBE if "integer string conversion" in str(error) else None


class Twice(dict[str, Any]):
    """An object with two members of one name."""


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Twice(found)


def not_json(word: str) -> NoReturn:
    raise ValueError(word)


def fact_of(value: Any) -> Any:
    """The members of an event that is one by the page; None when it is none."""
    if isinstance(value, Twice):
        return MAYBE
    if not isinstance(value, dict) or halves(value) or depth(value) > EVENT_DEPTH_MAX:
        return None
    said = {name: value.get(name) for name in ("id", "type", "data", "tenant", "time", "actor", "readers")}
    good = (
        is_text(said["id"], 1, EVENT_ID_CHARS_MAX)
        and is_text(said["type"], 1, EVENT_TYPE_CHARS_MAX)
        and isinstance(said["data"], dict)
        and said["tenant"] in (None, TENANT)
        and (said["actor"] is None or is_text(said["actor"], 0, EVENT_ACTOR_CHARS_MAX))
        and (said["readers"] is None or are_readers(said["readers"]))
    )
    if not good or not (said["time"] is None or isinstance(said["time"], str)):
        return None
    if said["time"] is not None:
        said["time"] = moment(said["time"])
        if said["time"] is None or said["time"] is MAYBE:
            return said["time"]
    return MAYBE if unbounded(value) else said


def moment(text: str) -> Any:
    """Milliseconds of a time of RFC 3339; None when it is none."""
    if TIME.fullmatch(text) is None:
        return None
    if text[17:19] == "60" or text[-5:-3] == "24" or len(text) > 32:
        return MAYBE
    try:
        ms = datetime.fromisoformat(text.upper().replace(" ", "T")).timestamp() * 1000
    except (ValueError, OverflowError):
        return None
    return round(ms) if 0 <= ms <= 253_402_300_799_000 else MAYBE


def is_text(value: Any, least: int, most: int) -> bool:
    return isinstance(value, str) and least <= len(value) <= most


def are_readers(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= EVENT_READERS_MAX
        and all(is_text(one, 0, EVENT_READER_CHARS_MAX) and READER.fullmatch(one) for one in value)
    )


def halves(value: Any) -> bool:
    if isinstance(value, str):
        return HALF.search(value) is not None
    if isinstance(value, dict):
        return any(halves(name) or halves(one) for name, one in value.items())
    return isinstance(value, list) and any(map(halves, value))


def depth(value: Any) -> int:
    if isinstance(value, dict | list):
        return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)
    return 0


def unbounded(value: Any) -> bool:
    """Numbers that no double holds are read by some and refused by others."""
    if isinstance(value, dict | list):
        return any(map(unbounded, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int | float) and not isinstance(value, bool) and not -1e300 < value < 1e300


def agree(found: Checked | Rejected, fact: Any) -> None:
    if fact is MAYBE:
        return
    if isinstance(found, Rejected):
        assert fact is None, (found, fact)
        assert found.error.startswith("$")
        return
    assert fact is not None, found
    assert (found.id, found.type, found.actor) == (fact["id"], fact["type"], fact["actor"])
    assert found.data == fact["data"], (found, fact)
    assert found.readers == (None if fact["readers"] is None else tuple(fact["readers"]))
    assert found.time is None if fact["time"] is None else abs(found.time - fact["time"]) <= 1, (found, fact)
    assert json.loads(found.raw) is not None
