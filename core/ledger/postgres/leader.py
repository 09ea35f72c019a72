"""Which of several processes leads, and what it has handed out: a term with a lease, and marks under that term.

Time is the database's, so that clocks of machines need not agree. A process whose term is over can commit no mark and
no rows of a view any more, also when it has slept through the end of its term.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from core.ledger.postgres.recorder import Connection, connect, in_the_librarys_words
from core.ledger.store import Database
from core.limits import LEASE_S, MARK_S

CLAIM = """
    UPDATE leader SET term = term + 1, holder = %s, until = clock_timestamp() + make_interval(secs => %s)
    WHERE until < clock_timestamp() RETURNING term
"""
RENEW = "UPDATE leader SET until = clock_timestamp() + make_interval(secs => %s) WHERE term = %s"
RELEASE = "UPDATE leader SET until = '-infinity' WHERE term = %s"
MARK = """
    WITH mine AS (SELECT FROM leader WHERE term = %(term)s FOR KEY SHARE), over AS (
        DELETE FROM marks WHERE term = %(term)s AND number = ANY(%(over)s) AND EXISTS (SELECT FROM mine)
    )
    INSERT INTO marks
        SELECT %(term)s, %(number)s, clock_timestamp() + make_interval(secs => %(secs)s), %(deliveries)s, %(attempts)s
        FROM mine
    ON CONFLICT (term, number)
        DO UPDATE SET until = excluded.until, deliveries = excluded.deliveries, attempts = excluded.attempts
"""
"""A mark whose answer was lost is there already when it is said again."""
MARKS = """
    SELECT term, deliveries, attempts, extract(epoch FROM until - clock_timestamp())::float8 FROM marks
    WHERE until > clock_timestamp()
"""


class Mark(NamedTuple):
    """Attempts that a process of an earlier term may be making: by delivery, for so many seconds from now."""

    term: int
    attempts: dict[int, int]
    left_s: float


class Leader:
    """One process's claim to lead, in one thread. PersistenceError when the database does not answer."""

    def __init__(self, database: Database, holder: bytes) -> None:
        """*holder*: this process's name."""
        self._database, self._holder = database, holder
        self._connection: Connection | None = None
        self._marks = 1

    def claim(self) -> int | None:
        """Begin a new term, unless another process's lease runs; its number."""
        rows = self._rows(CLAIM, (self._holder, LEASE_S))
        return rows[0][0] if rows else None

    def renew(self, term: int) -> bool:
        """Go on for LEASE_S from now. False: the term is over."""
        return self._done(RENEW, (LEASE_S, term)) == 1

    def release(self, term: int) -> None:
        """Lead no more; another may at once. What was handed out stays marked."""
        self._done(RELEASE, (term,))

    def marks(self) -> list[Mark]:
        """What earlier terms have handed out, as far as it may still be under way; the rest is forgotten."""
        self._done("DELETE FROM marks WHERE until <= clock_timestamp()", ())
        return [
            Mark(term, dict(zip(deliveries, attempts, strict=True)), left_s)
            for term, deliveries, attempts, left_s in self._rows(MARKS, ())
        ]

    def forget(self, term: int) -> None:
        """Nothing that was handed out in this term is under way any longer."""
        self._done("DELETE FROM marks WHERE term = %s", (term,))

    def mark(
        self, term: int, attempts: Sequence[tuple[int, int]], over: Iterable[int], for_s: float = MARK_S
    ) -> int | None:
        """These (delivery, attempt) are handed out for so many seconds, and marks *over* are not needed any more. The
        mark's number; None: the term is over, and nothing may be handed out."""
        said = {
            "term": term,
            "number": self._marks,
            "secs": for_s,
            "deliveries": [delivery for delivery, _ in attempts],
            "attempts": [attempt for _, attempt in attempts],
            "over": list(over),
        }
        if self._done(MARK, said) != 1:
            return None
        # Only once it was answered: what is said again has the same number, and nothing is left behind under another.
        self._marks += 1
        return self._marks - 1

    def close(self) -> None:
        """Nothing is open any more."""
        if self._connection is not None:
            self._connection.close()

    def _rows(self, sql: str, parameters: Any) -> list[tuple[Any, ...]]:
        with in_the_librarys_words():
            return self._connected().execute(sql, parameters).fetchall()

    def _done(self, sql: str, parameters: Any) -> int:
        with in_the_librarys_words():
            return self._connected().execute(sql, parameters).rowcount

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(*self._database, timeout_s=LEASE_S)
        return self._connection
