"""Gives dead letters back to the topics they came from, and notes which.

Noted is what the brokers have: who dies between the two retries some letters once more, and what of their events is
recorded already are duplicates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from delivery.dead.letter import Letter, again, letter_of
from delivery.dead.progress import Progress, Stretch, progress_of
from delivery.kafka.records import Message, Outgoing, Record, Refused


class Dead(Protocol):
    """The topic of the dead, and what was noted of it."""

    def topics(self) -> frozenset[str]: ...
    def stretches(self) -> dict[int, Stretch]: ...
    def committed(self) -> dict[int, tuple[int, str]]: ...
    def commit(self, offsets: Mapping[int, tuple[int, str]]) -> None: ...
    def read(self, stretches: Mapping[int, Stretch]) -> Iterable[list[Record]]: ...


class Fate(NamedTuple):
    """What became of the letter at a place, which is `partition/offset`; `why` None: it is retried."""

    place: str
    why: str | None
    is_cut: bool = False


class Retrying:
    """One run; *topics* are those that portal events are read from. With *outgoing* None nothing is written."""

    def __init__(self, dead: Dead, outgoing: Outgoing | None, topics: Collection[str]) -> None:
        self._dead, self._outgoing, self._read_topics = dead, outgoing, topics
        self._topics = dead.topics()
        self._progress = progress_in(dead)

    async def all(self) -> AsyncIterator[list[Fate]]:
        """Every letter that was not retried yet, and is there now."""
        stretches = unread(self._dead.stretches(), self._progress)
        behind = dict.fromkeys(stretches, 0)
        for records in self._dead.read(stretches):
            number = records[0].partition
            letters = [letter_of(one) for one in records if not self._progress[number].has(one.offset)]
            fates = await self._give(letters)
            # Between two letters, and before the first, there may be offsets without one.
            gaps = zip((behind[number], *(one.offset + 1 for one in records)), records, strict=False)
            self._note(number, [*_places(letters, fates), *((begin, one.offset) for begin, one in gaps)])
            behind[number] = records[-1].offset + 1
            yield fates

    async def named(self, places: Iterable[tuple[int, int]]) -> AsyncIterator[list[Fate]]:
        """The letters at these (partition, offset), whether they were retried before or not."""
        stretches = self._dead.stretches()
        for number, offset in dict.fromkeys(places):
            begin, end = stretches.get(number, (0, 0))
            if not begin <= offset < end:
                yield [Fate(f"{number}/{offset}", "there is no such letter")]
                continue
            found = [one for some in self._dead.read({number: (offset, offset + 1)}) for one in some]
            letters = [letter_of(one) for one in found]
            fates = await self._give(letters)
            self._note(number, _places(letters, fates))
            yield fates or [Fate(f"{number}/{offset}", "there is no such letter")]

    async def _give(self, letters: Sequence[Letter]) -> list[Fate]:
        """Back to their topics."""
        messages = [self._message(letter) for letter in letters]
        given = [message for message in messages if isinstance(message, Message)]
        outcomes = iter(await self._outgoing.send(given) if self._outgoing is not None and given else ())
        fates = []
        for letter, message in zip(letters, messages, strict=True):
            if isinstance(message, str):
                fates.append(Fate(letter.place, message, letter.cut is not None))
                continue
            outcome = next(outcomes, None)
            fates.append(Fate(letter.place, outcome.reason if isinstance(outcome, Refused) else None))
        return fates

    def _message(self, letter: Letter) -> Message | str:
        """What is sent; or why nothing is."""
        message = again(letter)
        if message is None:
            if letter.cut is not None:
                return (
                    f"of its value only the first part is here, of {letter.cut} bytes: the portal has to send it again"
                )
            return "it does not say which topic it came from"
        if message.topic not in self._read_topics:
            return f"portal events are not read from the topic {message.topic!r} (--inbox-topic)"
        if message.topic not in self._topics:
            return f"there is no topic {message.topic!r}"
        return message

    def _note(self, number: int, stretches: Sequence[Stretch]) -> None:
        before = self._progress[number]
        after = before.and_also(stretches)
        if after != before and self._outgoing is not None:
            self._progress[number] = after
            self._dead.commit({number: (after.offset, after.text())})


def progress_in(dead: Dead) -> dict[int, Progress]:
    """What was noted of each partition, also of those of which nothing was."""
    found: dict[int, Progress] = defaultdict(Progress)
    found.update({number: progress_of(offset, text) for number, (offset, text) in dead.committed().items()})
    return found


def unread(stretches: Mapping[int, Stretch], progress: Mapping[int, Progress]) -> dict[int, Stretch]:
    """Of each partition what is not all retried."""
    return {number: (max(begin, progress[number].offset), end) for number, (begin, end) in stretches.items()}


def _places(letters: Sequence[Letter], fates: Sequence[Fate]) -> list[Stretch]:
    return [
        (letter.record.offset, letter.record.offset + 1)
        for letter, fate in zip(letters, fates, strict=True)
        if fate.why is None
    ]
