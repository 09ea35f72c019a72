"""What a ledger's store is, be it a file or a database: one that reads rows, and one that appends units.

Its errors are those of `core.ledger.fault.FAULTS`. All of it blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from core.ledger.unit import Appended, Claim, Condition, Recorded, Unit


class Database(NamedTuple):
    """Where a ledger in PostgreSQL is: a URL or what else libpq takes, and the schema of its tables."""

    url: str
    schema: str


class Place(NamedTuple):
    """Where a ledger is: in a file of *data*, or in *database*; then *data* has what is this process's own."""

    data: Path
    database: Database | None = None

    def __str__(self) -> str:
        return str(self.data)


class Recorder(Protocol):
    """Reads: SQL in the words that both stores understand, with `?` for what is bound."""

    damage: str | None
    """What was found to be wrong with it since it was opened: nothing is written to it any more."""

    @property
    def path(self) -> Path | str:
        """Where it is, for people."""
        ...

    @property
    def identity(self) -> bytes:
        """16 random bytes that tell this ledger from every other."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query on a state of its own."""
        ...

    def rows_of(self, sql: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
        """Rows of *sql*, in which `IN ({})` stands for a list of values, for any number of them."""
        ...

    def check(self) -> None:
        """See that what is written here will be found again. LedgerError when it would not; does not wait."""
        ...

    def close(self) -> None: ...


class Claims(Protocol):
    """Which claims are taken."""

    fault: str | None

    @property
    def young(self) -> int:
        """Claims that are only in memory and in the ledger."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether it is time to `flush`."""
        ...

    def key(self, claim: Claim) -> bytes: ...

    def find(self, keys: Sequence[bytes]) -> dict[bytes, int]: ...

    def flush(self) -> None: ...


AppendAlone = Callable[[Callable[[Sequence[Recorded]], Sequence[Unit]], int], Appended]
"""Takes who makes the units, and the time: see `PostgresAppender.append_alone`."""


class Appender(Protocol):
    """Appends units; not for two threads at once."""

    last: int
    """The newest position that it has written or seen."""
    reads_all: bool
    """Whether all that other processes record is read, or only what moves a directory."""

    @property
    def recorder(self) -> Recorder: ...

    @property
    def claims(self) -> Claims: ...

    def append(self, units: Sequence[Unit], now_ms: int) -> Appended:
        """Judge *units* in order, and commit what holds."""
        ...

    @property
    def append_alone(self) -> AppendAlone | None:
        """As `append`, of units made while nobody else can append; None where nobody else ever can."""
        ...

    def look(self) -> Appended:
        """As an append of nothing: what others have recorded."""
        ...

    def condition(self, tenant: str) -> Condition: ...

    def directory(self, tenant: str) -> bytes: ...

    def probe(self) -> None:
        """See whether it can be written."""
        ...

    def save_snapshot(self, name: str, position: int, state: bytes) -> None: ...

    def close(self) -> None: ...
