"""What goes through a broker, in our own words, and the two ports it goes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes], ...]


def size_of(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """In bytes, without what a broker adds."""
    count = len(key or b"") + len(value or b"")
    return count + sum(len(name) + len(said) for name, said in headers) if headers else count


class Partition(NamedTuple):
    """One of the logs that a topic is made of."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


class Record(NamedTuple):
    """What was read. The same one may come again, until an offset behind it is committed."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    @property
    def place(self) -> Partition:
        return Partition(self.topic, self.partition)

    @property
    def size(self) -> int:
        """In bytes."""
        return size_of(self.key, self.value, self.headers)


class Message(NamedTuple):
    """What is to be written. One key is one partition; a key or a value it must have."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def size(self) -> int:
        """In bytes."""
        return size_of(self.key, self.value, self.headers)


class Placed(NamedTuple):
    """The broker has it, and its copies have too."""

    partition: int
    offset: int


class Refused(NamedTuple):
    """The broker has not said that it has it: it may be there all the same, if *reason* is that time ran out.
    *is_too_large*: it, or what was sent with it, has more bytes than the client or the topic takes."""

    reason: str
    is_too_large: bool = False


Outcome = Placed | Refused


class Incoming(Protocol):
    """Records of some topics, shared with all processes of the same group."""

    @property
    def fault(self) -> str | None:
        """Why no records come; None while they could."""
        ...

    @property
    def is_member(self) -> bool:
        """Whether our partitions must still be ours, as the group heard of us so short a time ago."""
        ...

    def end(self, partition: Partition) -> int:
        """The offset behind the partition's last record, as it was when it became ours or soon after; 0: that is not
        known."""
        ...

    async def take(self) -> list[Record]:
        """The next records, in the order of each partition; waits for some. None of them: it is closed."""
        ...

    async def commit(self, offsets: Mapping[Partition, int]) -> str | None:
        """From here on, whoever reads begins at these *offsets*. Waits while no broker answers. Returns why it is not
        so; None: it is."""
        ...

    async def leave(self) -> None:
        """Be out of the group, and read nothing, until `join`. Returns when that is so; records that were read and not
        taken are gone by then."""
        ...

    def join(self) -> None:
        """Be in it again, soon."""
        ...

    async def close(self) -> None:
        """Leave the group; within a limit, whatever the broker does."""
        ...


class Outgoing(Protocol):
    """Messages to any topic."""

    @property
    def fault(self) -> str | None:
        """Why messages wait; None while they do not."""
        ...

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """What became of each. OverloadedError: too many wait already."""
        ...

    async def close(self) -> None:
        """What was sent gets its answer first; within a limit, whatever the broker does."""
        ...
