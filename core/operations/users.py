"""The operation that imports persons: who is who, as the operator says; nothing is published of it, or delivered."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from core.errors import ConflictError, InvalidInputError
from core.ledger.unit import Unit
from core.limits import IMPORT_PERSONS_MAX, TENANT_CHARS_MAX
from core.operations.operation import Operation
from core.stock import Said, news

if TYPE_CHECKING:  # see `core.operations.operation`
    from core.office import Office

TRIES = 100
"""How often it is tried again because somebody of the tenant changes at the same time."""


class Import(msgspec.Struct, frozen=True):
    """Persons of *tenant*, all recorded in one commit."""

    tenant: str
    persons: list[Said]


class Imported(msgspec.Struct, frozen=True):
    """How many of them were recorded, and of how many all of it was known."""

    recorded: int
    unchanged: int


async def _import(office: Office, request: Import) -> Imported:
    tenant, persons = request.tenant, request.persons
    if not 1 <= len(tenant) <= TENANT_CHARS_MAX:
        raise InvalidInputError(f"a tenant has 1 to {TENANT_CHARS_MAX} characters", limit="TENANT_CHARS_MAX")
    if len(persons) > IMPORT_PERSONS_MAX:
        raise InvalidInputError(f"more than {IMPORT_PERSONS_MAX} persons in one batch", limit="IMPORT_PERSONS_MAX")
    for _ in range(TRIES):
        now = office.clock.now_ms()
        # Matching waits meanwhile: who somebody is must not be a guess.
        async with office.intake.held():
            entries = news(tenant, office.directory.tenant(tenant).people, persons, now, partial(_stream, office, now))
            if not entries:
                return Imported(0, len(persons))
            condition = office.directory.condition(tenant)
            (answer,) = await office.writer.append([Unit(entries, condition=condition)])
        if type(answer) is int:
            return Imported(len(entries), len(persons) - len(entries))
    raise ConflictError(f"the persons of tenant {tenant!r} change just now; say it again")


def _stream(office: Office, now_ms: int) -> bytes:
    return now_ms.to_bytes(6, "big") + office.random(10)


IMPORT = Operation("users.import", Import, Imported, _import, begins=True)
