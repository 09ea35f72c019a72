"""What cannot be taken from Kafka, as it is written to a topic of its own, for somebody to look at. Pure.

Key, value and headers are those of the record; headers of ours say why, and where it stood. So it can be sent again, as
it is, once it is understood. A value that the topic does not take is cut, and a header says how long it was.
`Letter` is what was read again of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.limits import DEAD_LETTERS_BYTES_MAX, DEAD_LETTERS_MAX, DEAD_REASON_CHARS_MAX
from delivery.kafka.records import Message, Record

DEAD_TOPIC = "portal.events.dead"
"""Where they go, where nothing else is said."""
OURS = "hookledger-"
"""How our headers begin; what a record already has of them is of an earlier death, and is replaced."""
NUMBER_DIGITS_MAX = 18
"""Of a number that a header says; what is longer is none."""


class Dead(NamedTuple):
    """A record, and why it is dead."""

    record: Record
    reason: str


class Letter(NamedTuple):
    """A dead letter, as it was read from its topic. `topic`, `partition` and `offset` are where its record stood, None
    where it does not say so; `deaths` how often it has died; `cut` how long its value was, None: it is whole."""

    record: Record
    reason: str
    topic: str | None
    partition: int | None
    offset: int | None
    deaths: int
    cut: int | None

    @property
    def place(self) -> str:
        """As people name it, within the topic of the dead."""
        return f"{self.record.partition}/{self.record.offset}"


def reason_of(errors: Sequence[str], events: int) -> str:
    """One line about a record of so many *events*; *errors* name the paths of those that are none."""
    said = "; ".join(errors)
    if events > len(errors):
        said = f"{len(errors)} of {events} events: {said}"
    return said if len(said) <= DEAD_REASON_CHARS_MAX else f"{said[:DEAD_REASON_CHARS_MAX]}…"


def at_once(dead: Sequence[Dead]) -> Iterator[list[Dead]]:
    """Those that are sent together, so that no sender is asked for more than it takes."""
    some: list[Dead] = []
    count = 0
    for one in dead:
        size = one.record.size
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
    """The same, with less and less of its value; in the end without, and with our headers alone; and, should that be
    too large, with less and less of its key."""
    record, value = dead.record, dead.record.value or b""
    cut = ((f"{OURS}cut", str(len(value)).encode()),)
    keep = len(value) // 2
    while keep:
        yield Message(topic, record.key, value[:keep], (*_theirs(record), *_ours(dead), *cut))
        keep //= 2
    yield Message(topic, record.key, b"", (*_ours(dead), *cut))
    key = record.key or b""
    cut_too = (f"{OURS}key-cut", str(len(key)).encode())
    while key:
        key = key[: len(key) // 2]
        yield Message(topic, key, b"", (*_ours(dead), *cut, cut_too))


def letter_of(record: Record) -> Letter:
    """What a record of the topic of the dead says of itself, whoever wrote it."""
    said = {name.removeprefix(OURS): value for name, value in record.headers if name.startswith(OURS)}
    topic = said.get("topic")
    return Letter(
        record,
        said.get("reason", b"").decode(errors="backslashreplace"),
        None if topic is None else topic.decode(errors="backslashreplace"),
        _number(said.get("partition")),
        _number(said.get("offset")),
        _number(said.get("deaths")) or 1,
        _number(said.get("cut")),
    )


def again(letter: Letter) -> Message | None:
    """The record as it was, for the topic where it stood, with one header of ours: how often it has died. None: it is
    not whole, or does not say where it stood."""
    if letter.cut is not None or letter.topic is None:
        return None
    record = letter.record
    deaths = (f"{OURS}deaths", str(letter.deaths).encode())
    return Message(letter.topic, record.key, record.value, (*_theirs(record), deaths))


def _number(said: bytes | None) -> int | None:
    return int(said) if said is not None and said.isdigit() and len(said) <= NUMBER_DIGITS_MAX else None


def _theirs(record: Record) -> Iterator[tuple[str, bytes]]:
    return ((name, value) for name, value in record.headers if not name.startswith(OURS))


def _ours(dead: Dead) -> Iterator[tuple[str, bytes]]:
    record = dead.record
    before = next((value for name, value in reversed(record.headers) if name == f"{OURS}deaths"), None)
    said = {
        "reason": dead.reason,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "deaths": (_number(before) or 0) + 1,
    }
    return ((f"{OURS}{name}", str(value).encode(errors="backslashreplace")) for name, value in said.items())
