"""Who is who in one tenant: a fold of Person and Group events in which the newest fact wins, whatever came first.

Each fact of a person (that they are known, their role, status, membership of one group) keeps the time of its last
change; an older change of that same fact is recorded, and not applied. A removal is a change of all facts of a person:
whoever comes back starts as a newcomer, and what was said of them before does not come back with them. Changes at the
same time apply in the order of the ledger, but that a group is gone outweighs a membership of the same time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from core.model import group as group_events
from core.model import person as person_events
from core.trigger import Role, Status

NEVER = -1


class Person(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The facts of a person. `is_known` False: removed, kept so that an older fact does not bring them back."""

    id: str
    stream: bytes
    version: int
    is_known: bool = True
    known_at: int = NEVER
    role: Role = "user"
    role_at: int = NEVER
    status: Status = "active"
    status_at: int = NEVER
    facts: dict[str, tuple[bool, int]] = {}
    """Single memberships: group → (in it?, since)."""
    listed_at: int = NEVER
    """When the whole list of groups was last said; what is not in `facts` has been no member since."""
    groups: frozenset[str] = frozenset()
    """The groups they are in, as all facts together say."""


class Group(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Whether a group is known; `removed_at` outweighs every membership that is not newer."""

    id: str
    stream: bytes
    version: int
    is_known: bool = True
    known_at: int = NEVER
    removed_at: int = NEVER


Undo = list[tuple[str, Person | None] | tuple[str, None, Group | None]]
"""What was there before a change, newest last."""


class People:
    """Persons and groups of one tenant, with who is in which group. Every change can be undone."""

    def __init__(self, persons: Iterable[Person] = (), groups: Iterable[Group] = ()) -> None:
        self.persons: dict[str, Person] = {}
        self.groups: dict[str, Group] = {known.id: known for known in groups}
        self._members: dict[str, set[str]] = {}
        for known in persons:
            self._put(known.id, known)

    # The directory as plugins see it.

    def person(self, id: str) -> Person | None:
        found = self.persons.get(id)
        return found if found is not None and found.is_known else None

    def has_group(self, id: str) -> bool:
        found = self.groups.get(id)
        return found is not None and found.is_known

    def members(self, group: str) -> Collection[str]:
        return frozenset(self._members.get(group, ()))

    # The fold.

    def apply(self, stream: bytes, version: int, event: object) -> Undo:
        """Take one more event in; the answer puts things back as they were (`undo`)."""
        match event:
            case person_events.Set():
                return self._set_person(stream, version, event)
            case person_events.Removed():
                return self._remove_person(stream, version, event)
            case group_events.Set():
                return self._set_group(stream, version, event)
            case group_events.Removed():
                return self._remove_group(stream, version, event)
        raise TypeError(f"{type(event).__name__} is no event of a person or group")

    def undo(self, undo: Undo) -> None:
        """Put back what one `apply` changed; the newest change first."""
        for entry in reversed(undo):
            if len(entry) == 2:
                self._put(*entry)
            elif entry[2] is None:
                del self.groups[entry[0]]
            else:
                self.groups[entry[0]] = entry[2]

    def _put(self, id: str, new: Person | None) -> None:
        old = self.persons.get(id)
        before = old.groups if old is not None else frozenset()
        after = new.groups if new is not None else frozenset()
        for gone in before - after:
            members = self._members[gone]
            members.discard(id)
            if not members:
                del self._members[gone]
        for joined in after - before:
            self._members.setdefault(joined, set()).add(id)
        if new is None:
            self.persons.pop(id, None)
        else:
            self.persons[id] = new

    def _set_person(self, stream: bytes, version: int, event: person_events.Set) -> Undo:
        old = self.persons.get(event.id)
        new = old if old is not None else Person(id=event.id, stream=stream, version=0)
        time, changed = event.time, dict[str, object]()
        if time >= new.known_at:
            changed |= {"is_known": True, "known_at": time}
        if event.role is not None and time >= new.role_at:
            changed |= {"role": event.role, "role_at": time}
        if event.status is not None and time >= new.status_at:
            changed |= {"status": event.status, "status_at": time}
        changed |= self._memberships(new, event)
        self._put(event.id, msgspec.structs.replace(new, stream=stream, version=version, **changed))
        return [(event.id, old)]

    def _memberships(self, known: Person, event: person_events.Set) -> dict[str, object]:
        if event.groups is None and not event.joins and not event.leaves:
            return {}
        time, facts, listed_at = event.time, dict(known.facts), known.listed_at
        if event.groups is not None and time >= listed_at:
            facts = {id: fact for id, fact in facts.items() if fact[1] > time}
            listed_at = time
        said = [(id, True) for id in (*(event.groups or ()), *event.joins)] + [(id, False) for id in event.leaves]
        for id, is_in in said:
            _, at = facts.get(id, (False, listed_at))
            if time >= at:
                facts[id] = (is_in, time)
        return {"facts": facts, "listed_at": listed_at, "groups": self._effective(facts)}

    def _effective(self, facts: dict[str, tuple[bool, int]]) -> frozenset[str]:
        return frozenset(
            id
            for id, (is_in, at) in facts.items()
            if is_in and ((known := self.groups.get(id)) is None or at > known.removed_at)
        )

    def _remove_person(self, stream: bytes, version: int, event: person_events.Removed) -> Undo:
        old = self.persons.get(event.id)
        new = old if old is not None else Person(id=event.id, stream=stream, version=0, is_known=False)
        time = event.time
        facts = {id: fact for id, fact in new.facts.items() if fact[1] > time}
        changed: dict[str, object] = {
            "stream": stream,
            "version": version,
            "facts": facts,
            "listed_at": max(new.listed_at, time),
            "groups": self._effective(facts),
        }
        if time >= new.known_at:
            changed |= {"is_known": False, "known_at": time}
        if time >= new.role_at:
            changed |= {"role": "user", "role_at": time}
        if time >= new.status_at:
            changed |= {"status": "active", "status_at": time}
        self._put(event.id, msgspec.structs.replace(new, **changed))
        return [(event.id, old)]

    def _set_group(self, stream: bytes, version: int, event: group_events.Set) -> Undo:
        old = self.groups.get(event.id)
        new = old if old is not None else Group(id=event.id, stream=stream, version=0)
        changed: dict[str, object] = {"stream": stream, "version": version}
        if event.time >= new.known_at:
            changed |= {"is_known": True, "known_at": event.time}
        self.groups[event.id] = msgspec.structs.replace(new, **changed)
        return [(event.id, None, old)]

    def _remove_group(self, stream: bytes, version: int, event: group_events.Removed) -> Undo:
        old = self.groups.get(event.id)
        new = old if old is not None else Group(id=event.id, stream=stream, version=0, is_known=False)
        changed: dict[str, object] = {
            "stream": stream,
            "version": version,
            "removed_at": max(new.removed_at, event.time),
        }
        if event.time >= new.known_at:
            changed |= {"is_known": False, "known_at": event.time}
        self.groups[event.id] = msgspec.structs.replace(new, **changed)
        undo: Undo = [(event.id, None, old)]
        for member in self.members(event.id):
            known = self.persons[member]
            groups = self._effective(known.facts)
            if groups != known.groups:
                undo.append((member, known))
                self._put(member, msgspec.structs.replace(known, groups=groups))
        return undo
