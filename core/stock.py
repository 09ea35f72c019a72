"""A stock of persons: who is who, said all at once and not by events; what of it is news, given what is known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

import msgspec

from core.ledger.unit import Entry
from core.limits import PERSON_GROUPS_MAX, PERSON_ID_CHARS_MAX
from core.model import person
from core.people import People, Undo
from core.people import Person as Known
from core.trigger import Role, Status

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=PERSON_ID_CHARS_MAX)]


class Said(msgspec.Struct, frozen=True):
    """A person as they are said to be; None is not said, and leaves what is known. `groups` are all of them. `time` is
    since when, in milliseconds; None, or a time to come: from now on."""

    id: Id
    role: Role | None = None
    status: Status | None = None
    groups: Annotated[tuple[Id, ...], msgspec.Meta(max_length=PERSON_GROUPS_MAX)] | None = None
    time: int | None = None


def news(
    tenant: str, people: People, said: Iterable[Said], now_ms: int, new_stream: Callable[[], bytes]
) -> list[Entry]:
    """What is to be recorded, in order: a person for whom nothing would change is left out, so that the same stock said
    again is no news. *people* are left as they were."""
    entries: list[Entry] = []
    undo: list[Undo] = []
    for one in said:
        known = people.persons.get(one.id)
        stream, version = (new_stream(), 1) if known is None else (known.stream, known.version + 1)
        is_past = one.time is not None and one.time <= now_ms
        time = one.time if one.time is not None and is_past else now_ms
        event = person.Set(tenant, now_ms, one.id, time, one.role, one.status, one.groups, (), (), None)
        change = people.apply(stream, version, event)
        if known is None or _is_news(known, people.persons[one.id], has_time=is_past):
            entries.append(Entry(stream, version, event))
            undo.append(change)
        else:
            people.undo(change)
    for change in reversed(undo):
        people.undo(change)
    return entries


def _is_news(known: Known, then: Known, *, has_time: bool) -> bool:
    """Whether it tells more. Without a time of its own, that the same holds still is no news."""
    if has_time:
        return msgspec.structs.replace(then, version=known.version) != known
    facts = known.is_known, known.role, known.status, known.groups
    return facts != (then.is_known, then.role, then.status, then.groups)
