"""Units as the columns that PostgreSQL's function `append` takes, and what it answers as answers of ours; pure.

The function, and what each column means, is in migrations/0001_ledger.sql, and as it is now in 0004_tell_others.sql.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.ledger.postgres.arrays import OF, Array
from core.ledger.unit import (
    CATALOGUE,
    Answer,
    Claim,
    Duplicate,
    StaleDirectory,
    StaleStream,
    Unit,
    Unwritable,
    told_by,
)
from core.log import Log
from core.model.catalogue import Changed as CatalogueChanged
from core.model.topics import DIRECTORY_EVENTS, LANDMARKS

log = Log("ledger")

OF_UNITS = ("int", "int", "int", "bytea", "bytea")
NAMES = ("bytea", "bytea", "int", "text")
OF_ENTRIES = ("bytea", "int", "bigint", "text", "bytea")
OF_MARKS = ("int", "int", "bytea")
OF_BODIES = OF_SECRETS = ("int", "bytea", "bytea", "bytea")
KINDS = OF_UNITS + NAMES + OF_ENTRIES + OF_MARKS + OF_BODIES + OF_SECRETS
APPEND = f"SELECT * FROM append(%b::bytea, %b::bigint, %b::bigint, {', '.join(f'%b::{kind}[]' for kind in KINDS)})"

TAKEN, DUPLICATE, STALE_STREAM = range(3)


class Columns:
    """Units as the columns that the function takes, and its answers as ours."""

    def __init__(
        self,
        units: Sequence[Unit],
        encode: Callable[[Any], tuple[str, bytes]],
        key_of_claim: Callable[[Claim], bytes],
    ) -> None:
        self._units = units
        self._unwritable: dict[int, Unwritable] = {}
        # Numbers for what is named, from 1 on, in the order in which it is named first.
        self._keys: dict[bytes, int] = {}
        self._streams: dict[bytes, int] = {}
        self._tenants = {CATALOGUE: 1}
        self._look: set[int] = set()
        # Rows: one append of a tuple costs less than one to each column.
        self._of_units: list[tuple[Any, ...]] = []
        self._entries: list[tuple[Any, ...]] = []
        self._marks: list[tuple[Any, ...]] = []
        self._bodies: list[tuple[Any, ...]] = []
        self._secrets: list[tuple[Any, ...]] = []
        for number, unit in enumerate(units):
            self._add(number, unit, encode, key_of_claim)

    def _add(
        self,
        number: int,
        unit: Unit,
        encode: Callable[[Any], tuple[str, bytes]],
        key_of_claim: Callable[[Claim], bytes],
    ) -> None:
        try:
            stored = [encode(event) for _, _, event in unit.entries]
            for _, _, event in unit.entries:
                if type(event) in DIRECTORY_EVENTS:
                    _check_text(event.tenant)
            if unit.condition is not None and unit.condition.tenant not in self._tenants:
                _check_text(unit.condition.tenant)
        except Exception as error:  # noqa: BLE001 -- its maker's bug, and must not fail its neighbours
            log.say("unit.unwritable", error)
            self._unwritable[number] = Unwritable(f"{type(error).__name__}: {error}")
            return
        before = len(self._entries)
        self._add_entries(unit, stored)
        claim = 0 if unit.claim is None else _number(self._keys, key_of_claim(unit.claim))
        condition = unit.condition
        if condition is None:
            self._of_units.append((before + len(stored), claim, 0, None, None))
        else:
            tenant = _number(self._tenants, condition.tenant)
            self._of_units.append((before + len(stored), claim, tenant, condition.directory, condition.catalogue))
        for entry, salt, data, payload in unit.bodies:
            self._bodies.append((before + entry + 1, salt, data, payload))
        for secret in unit.secrets:
            self._secrets.append((before + 1, *secret))

    def _add_entries(self, unit: Unit, stored: Sequence[tuple[str, bytes]]) -> None:
        streams, entries = self._streams, self._entries
        for (stream, version, event), (topic, state) in zip(unit.entries, stored, strict=True):
            number = streams.setdefault(stream, len(streams) + 1)
            if version > 1:
                self._look.add(number)
            entries.append((stream, number, version, topic, state))
            if type(event) in LANDMARKS:
                self._marks.append((len(entries), self._moved(event), told_by(event)))

    def _moved(self, event: Any) -> int:
        """The directory that an event moves."""
        if type(event) in DIRECTORY_EVENTS:
            return _number(self._tenants, event.tenant)
        return _number(self._tenants, CATALOGUE) if type(event) is CatalogueChanged else 0

    def look_at_all(self) -> None:
        """A stream that was thought new is there already: which one?"""
        self._look.update(self._streams.values())

    @property
    def columns(self) -> list[Array]:
        """In the order of KINDS."""
        columns = (
            *_transposed(self._of_units, OF_UNITS),
            tuple(self._keys),
            tuple(self._streams),
            tuple(self._look),
            tuple(self._tenants),
            *_transposed(self._entries, OF_ENTRIES),
            *_transposed(self._marks, OF_MARKS),
            *_transposed(self._bodies, OF_BODIES),
            *_transposed(self._secrets, OF_SECRETS),
        )
        return [OF[kind](column) for kind, column in zip(KINDS, columns, strict=True)]

    def answers(self, kinds: Sequence[int], places: Sequence[int], entries: Sequence[int]) -> list[Answer]:
        """An answer for each unit."""
        answers: list[Answer] = []
        rows = iter(zip(kinds, places, entries, strict=True))
        for number, unit in enumerate(self._units):
            unwritable = self._unwritable.get(number)
            if unwritable is not None:
                answers.append(unwritable)
                continue
            kind, place, entry = next(rows)
            if kind == TAKEN:
                answers.append(place)
            elif kind == DUPLICATE:
                answers.append(Duplicate(place))
            elif kind == STALE_STREAM:
                answers.append(StaleStream(self._entries[entry - 1][0], place))
            else:
                assert unit.condition is not None
                answers.append(StaleDirectory(unit.condition.tenant))
        return answers


def _number(numbers: dict[Any, int], name: Any) -> int:
    return numbers.setdefault(name, len(numbers) + 1)


def _transposed(rows: Sequence[tuple[Any, ...]], kinds: Sequence[str]) -> Sequence[Sequence[Any]]:
    return tuple(zip(*rows, strict=True)) or ((),) * len(kinds)


def _check_text(text: str) -> None:
    """PostgreSQL keeps no text with a zero in it, nor what is no UTF-8."""
    if "\0" in text:
        raise ValueError(f"{text!r} holds a zero character")
    text.encode()
