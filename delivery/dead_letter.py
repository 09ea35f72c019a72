"""What cannot be taken from Kafka, as it is written to a topic of its own, for somebody to look at. Pure.

Key, value and headers are those of the record; headers of ours say why, and where it stood. So it can be sent again, as
it is, once it is understood. A value that the topic does not take is cut, and a header says how long it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.limits import DEAD_LETTERS_BYTES_MAX, DEAD_LETTERS_MAX, DEAD_REASON_CHARS_MAX
from delivery.kafka.records import Message, Record

DEAD_TOPIC = "portal.events.dead"
"""Where they go, where nothing else is said."""
OURS = "hookledger-"
"""How our headers begin; what a record already has of them is of an earlier death, and is replaced."""
_TOO_LARGE = re.compile(r"too.?large|larger than", re.IGNORECASE)


class Dead(NamedTuple):
    """A record, and why it is dead."""

    record: Record
    reason: str


def reason_of(errors: Sequence[str], events: int) -> str:
    """One line about a record of so many *events*; *errors* name the paths of those that are none."""
    said = "; ".join(errors)
    if events > len(errors):
        said = f"{len(errors)} of {events} events: {said}"
    return said if len(said) <= DEAD_REASON_CHARS_MAX else f"{said[:DEAD_REASON_CHARS_MAX]}…"


def is_too_large(reason: str) -> bool:
    """Whether a message was refused for its size, as Kafka and its clients word it."""
    return _TOO_LARGE.search(reason) is not None


def at_once(dead: Sequence[Dead]) -> Iterator[list[Dead]]:
    """Those that are sent together, so that no sender is asked for more than it takes."""
    some: list[Dead] = []
    count = 0
    for one in dead:
        size = len(one.record.value or b"")
        if some and (len(some) >= DEAD_LETTERS_MAX or count + size > DEAD_LETTERS_BYTES_MAX):
            yield some
            some, count = [], 0
        some.append(one)
        count += size
    if some:
        yield some


def letter(dead: Dead, topic: str) -> Message:
    """The record as it was, with why it is dead."""
    record = dead.record
    # A message without both is none.
    value = b"" if record.value is None and record.key is None else record.value
    return Message(topic, record.key, value, (*_theirs(record), *_ours(dead)))


def shorter(dead: Dead, topic: str) -> Iterator[Message]:
    """The same, with less and less of its value; in the end without, and with our headers alone."""
    record, value = dead.record, dead.record.value or b""
    cut = ((f"{OURS}cut", str(len(value)).encode()),)
    keep = len(value) // 2
    while keep:
        yield Message(topic, record.key, value[:keep], (*_theirs(record), *_ours(dead), *cut))
        keep //= 2
    yield Message(topic, record.key, b"", (*_ours(dead), *cut))


def _theirs(record: Record) -> Iterator[tuple[str, bytes]]:
    return ((name, value) for name, value in record.headers if not name.startswith(OURS))


def _ours(dead: Dead) -> Iterator[tuple[str, bytes]]:
    record = dead.record
    said = {"reason": dead.reason, "topic": record.topic, "partition": record.partition, "offset": record.offset}
    return ((f"{OURS}{name}", str(value).encode(errors="backslashreplace")) for name, value in said.items())
