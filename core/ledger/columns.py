"""Units as the columns that PostgreSQL's function `append` takes, and what it answers as answers of ours; pure.

The function, and what each column means, is in migrations/0001_ledger.sql.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
NAMES = ("bytea", "bytea", "boolean", "text")
OF_ENTRIES = ("bytea", "int", "bigint", "text", "bytea", "int", "int", "bytea")
OF_BODIES = OF_SECRETS = ("int", "bytea", "bytea", "bytea")
KINDS = OF_UNITS + NAMES + OF_ENTRIES + OF_BODIES + OF_SECRETS
APPEND = f"SELECT * FROM append(%b::bytea, %b::bigint, %b::bigint, {', '.join(f'%b::{kind}[]' for kind in KINDS)})"

TAKEN, DUPLICATE, STALE_STREAM = range(3)
LANDMARK, MOVES_DIRECTORY = 1, 2


class _Numbers(dict[Any, int]):
    """Numbers for what is named, from 1 on, in the order in which it is named first."""

    def __missing__(self, name: Any) -> int:
        number = self[name] = len(self) + 1
        return number


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
        self._keys, self._streams, self._tenants = _Numbers(), _Numbers(), _Numbers({CATALOGUE: 1})
        self._look: list[bool] = []
        self._of_units: tuple[list[Any], ...] = ([], [], [], [], [])
        self._entries: tuple[list[Any], ...] = ([], [], [], [], [], [], [], [])
        self._bodies: tuple[list[Any], ...] = ([], [], [], [])
        self._secrets: tuple[list[Any], ...] = ([], [], [], [])
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
            if unit.condition is not None:
                _check_text(unit.condition.tenant)
        except Exception as error:  # noqa: BLE001 -- its maker's bug, and must not fail its neighbours
            log.say("unit.unwritable", error)
            self._unwritable[number] = Unwritable(f"{type(error).__name__}: {error}")
            return
        before = len(self._entries[0])
        self._add_entries(unit, stored)
        last, claim, tenant, directory, catalogue = self._of_units
        last.append(before + len(stored))
        claim.append(0 if unit.claim is None else self._keys[key_of_claim(unit.claim)])
        condition = unit.condition
        tenant.append(0 if condition is None else self._tenants[condition.tenant])
        directory.append(None if condition is None else condition.directory)
        catalogue.append(None if condition is None else condition.catalogue)
        for entry, salt, data, payload in unit.bodies:
            _add_row(self._bodies, before + entry + 1, salt, data, payload)
        for secret in unit.secrets:
            _add_row(self._secrets, before + 1, *secret)

    def _add_entries(self, unit: Unit, stored: Sequence[tuple[str, bytes]]) -> None:
        streams, look = self._streams, self._look
        e_stream, e_number, e_version, e_topic, e_state, e_mark, e_tenant, e_told_by = self._entries
        for (stream, version, event), (topic, state) in zip(unit.entries, stored, strict=True):
            number = streams[stream]
            if number > len(look):
                look.append(version > 1)
            elif version > 1:
                look[number - 1] = True
            mark, tenant = 0, 0
            cause: bytes | None = None
            kind = type(event)
            if kind in LANDMARKS:
                mark = LANDMARK
                if kind in DIRECTORY_EVENTS or kind is CatalogueChanged:
                    mark = MOVES_DIRECTORY
                    tenant = self._tenants[CATALOGUE if kind is CatalogueChanged else event.tenant]
                    cause = told_by(event)
            e_stream.append(stream)
            e_number.append(number)
            e_version.append(version)
            e_topic.append(topic)
            e_state.append(state)
            e_mark.append(mark)
            e_tenant.append(tenant)
            e_told_by.append(cause)

    def look_at_all(self) -> None:
        """A stream that was thought new is there already: which one?"""
        self._look[:] = [True] * len(self._look)

    @property
    def columns(self) -> Sequence[list[Any]]:
        """In the order of KINDS."""
        return (
            *self._of_units,
            list(self._keys),
            list(self._streams),
            self._look,
            list(self._tenants),
            *self._entries,
            *self._bodies,
            *self._secrets,
        )

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
                answers.append(StaleStream(self._entries[0][entry - 1], place))
            else:
                assert unit.condition is not None
                answers.append(StaleDirectory(unit.condition.tenant))
        return answers


def _add_row(columns: tuple[list[Any], ...], *row: Any) -> None:
    for column, value in zip(columns, row, strict=True):
        column.append(value)


def _check_text(text: str) -> None:
    """PostgreSQL keeps no text with a zero in it, nor what is no UTF-8."""
    if "\0" in text:
        raise ValueError(f"{text!r} holds a zero character")
    text.encode()
