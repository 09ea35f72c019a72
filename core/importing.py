"""The way a file of persons is imported: each entry a person, `{"id", "role", "status", "groups"}`."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from core.conversation import Conversation
from core.feed import Outcome
from core.incoming import TIME_MS_MAX, Rejected, decoded
from core.limits import IMPORT_PERSONS_MAX, PERSON_GROUPS_MAX
from core.operations.users import IMPORT, Import, Imported
from core.stock import Id, Said
from core.trigger import ROLES, Role, Status

STATUSES: dict[str | int, Status] = {
    "active": "active",
    "terminated": "terminated",
    "pending": "pending",
    1: "active",
    2: "terminated",
    4: "pending",
}
"""In words, or in the numbers that portal events have."""


class _Person(msgspec.Struct):
    id: Id
    role: Role | None = None
    status: Literal["active", "terminated", "pending", 1, 2, 4] | None = None
    groups: Annotated[tuple[Id, ...], msgspec.Meta(max_length=PERSON_GROUPS_MAX)] | None = None
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


_DECODE = msgspec.json.Decoder(_Person).decode

_LENGTHS = {"id": "PERSON_ID_CHARS_MAX", "groups": "PERSON_GROUPS_MAX", "groups[": "PERSON_ID_CHARS_MAX"}
_CHOICES = {"$.role": ", ".join(ROLES), "$.status": ", ".join(map(str, STATUSES))}


class ByOperator:
    """To whoever holds the ledger."""

    under_way_max = 1
    batch_max = IMPORT_PERSONS_MAX

    def __init__(self, there: Conversation, tenant: str) -> None:
        self._there, self._tenant = there, tenant

    def item(self, raw: bytes) -> Said | str:
        person = decoded(raw, "$", _DECODE, _LENGTHS)
        if isinstance(person, Rejected):
            return _in_words(person.error)
        time = None if person.time is None else round(person.time.timestamp() * 1000)
        if time is not None and not 0 <= time <= TIME_MS_MAX:
            return "$.time: expected a time between 1970 and 9999"
        status = None if person.status is None else STATUSES[person.status]
        return Said(person.id, person.role, status, person.groups, time)

    async def send(self, items: list[Said]) -> asyncio.Future[Outcome]:
        return asyncio.ensure_future(_outcome(await self._there.begin(IMPORT, Import(self._tenant, items))))


def _in_words(error: str) -> str:
    """With what there is to choose from."""
    path, _, words = error.partition(": ")
    if words.startswith("invalid enum value"):
        return f"{path}: expected one of {_CHOICES[path]}"
    return error


async def _outcome(coming: asyncio.Future[Imported]) -> Outcome:
    imported = await coming
    return Outcome({"recorded": imported.recorded, "unchanged": imported.unchanged}, ())
