"""What keeps views, be it a file or a database: rows made from recorded events, and the position each view has seen.

SQL is that of SQLite, as far as `core.ledger.postgres.dialect` knows it, with `?` for what is bound. Errors are those
of `core.ledger.fault.FAULTS`. All of it blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

FED = "ledger-feed/"
"""How names begin that are no view's: of what was told elsewhere it is kept how far. No answer waits for it, and it
stays when views are made anew."""


class Found(Protocol):
    """What a statement found, or did."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


class Writing(Protocol):
    """A connection in a transaction that others begin and end. No rows at all cost nothing."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Found: ...

    def insert(self, table: str, columns: int, values: list[Any], otherwise: str = ...) -> None:
        """Insert rows, given as one flat list of values. *otherwise*: ` ON CONFLICT …`, what is done where one is
        there."""
        ...

    def update(self, table: str, columns: tuple[str, ...], values: list[Any]) -> None:
        """Change rows: of each its key and then new values are given, in one flat list; *columns* are their names."""
        ...

    def among(self, sql: str, numbers: Sequence[int]) -> list[tuple[Any, ...]]:
        """All rows of *sql*, in which `IN ({})` stands for a list of numbers, for any number of them."""
        ...


class ViewStore(Protocol):
    """Written in one thread, read in any."""

    @property
    def path(self) -> Path | str:
        """Where it is, for people."""
        ...

    @property
    def damage(self) -> str | None:
        """What is wrong with it, so that it is made anew; None: nothing that was met."""
        ...

    def doubt(self, error: Exception) -> bool:
        """Whether it is damaged, as *error* may say."""
        ...

    def begin(self, view: str, tables: Sequence[str]) -> int:
        """Make sure a view's tables are there; the position it has seen."""
        ...

    def write(self, view: str, previous: int, position: int, fill: Callable[[Writing], None]) -> None:
        """In one transaction: the view goes on from *previous* to *position*, and *fill* writes its rows. ConflictError
        when somebody else follows."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class SharedViews(Protocol):
    """Views that one process writes, the one that leads, and others read."""

    term: int
    """The term in which this process leads: views are written in no other."""

    def seen(self) -> dict[str, int]:
        """Up to where each view has seen; blocks."""
        ...

    def is_led(self) -> bool:
        """Whether some process leads, and views are followed; blocks."""
        ...
