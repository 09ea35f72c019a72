"""The nouns a plugin speaks: Trigger, PortalEvent, Reading, and what a Reading may teach the directory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

Role = Literal["admin", "room-admin", "user", "guest"]
ROLES: tuple[Role, ...] = ("admin", "room-admin", "user", "guest")
Status = Literal["active", "pending", "terminated"]


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of portal event one can subscribe to.

    `name` is `noun.verb`; its first word is the type of the target in what a receiver gets.
    `order` is its place in the catalogue. `bit` (0-62, unique) is DocSpace's number for it, 2**bit
    is sent as `triggerId`; None leaves `triggerId` out. `roles` may subscribe to it.
    `changes_directory`: its events say who is who, and only then may a Reading hold `changes`.
    `samples` are portal events (plain form, as JSON objects) for people, for the plugin's own tests and for the demo.
    `data_schema` and `payload_schema` are JSON Schemas (2020-12): of the `data` that a portal sends, and of the
    `payload` that a receiver gets. They are shown to people and nothing is checked against them; where they are None,
    what is shown is derived from the samples.
    """

    name: str
    order: int
    bit: int | None = None
    roles: Collection[Role] = ("admin", "room-admin", "user")
    changes_directory: bool = False
    samples: Sequence[Mapping[str, Any]] = ()
    data_schema: Mapping[str, Any] | None = None
    payload_schema: Mapping[str, Any] | None = None


class PortalEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One fact from the portal, as a plugin is given it. `data` is decoded JSON; times are milliseconds."""

    tenant: str
    id: str
    type: str
    data: Mapping[str, Any]
    time: int
    actor: str | None = None
    readers: Sequence[str] | None = None


class SetPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person as the portal now knows them; None means unchanged.

    `groups` is the whole list; `joins` and `leaves` name single groups and go beside or without it.
    A person who was not known becomes an active `user` without groups, but for what is said here.
    """

    id: str
    role: Role | None = None
    status: Status | None = None
    groups: Sequence[str] | None = None
    joins: Sequence[str] = ()
    leaves: Sequence[str] = ()


class RemovePerson(msgspec.Struct, frozen=True, kw_only=True):
    """The person is gone from the portal."""

    id: str


class SetGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group exists. Who is in it is a fact of each person: say it with SetPerson's joins and leaves."""

    id: str


class RemoveGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The group is gone, and nobody is in it any more."""

    id: str


Change = SetPerson | RemovePerson | SetGroup | RemoveGroup


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin made of one portal event.

    `payload` is what a receiver gets under `payload`: its keys in their order; default values (null, false, 0,
    empty GUID) may stay in, they are left out on the wire. `target_ids` are the ids of the entity it is about, with
    the type they have on the wire. `readers` is the plugin's own rule for who may know
    (`everyone`, `user:ID`, `group:ID`, `role:ROLE`); None where it has no answer (then only admins).
    It is used only if the event itself names no readers.
    """

    payload: Mapping[str, Any]
    target_type: str
    target_ids: Sequence[int | str] = ()
    readers: Sequence[str] | None = None
    changes: Sequence[Change] = ()


class Unreadable(msgspec.Struct, frozen=True):
    """The event's `data` is not what its type needs. `path` is below the event (`data.id`), `reason` in words
    (`expected int or str`). The portal is told, and nothing is recorded."""

    path: str
    reason: str


class Person(Protocol):
    """What a plugin may know of a person."""

    @property
    def id(self) -> str: ...
    @property
    def role(self) -> Role: ...
    @property
    def status(self) -> Status: ...
    @property
    def groups(self) -> Collection[str]: ...


class Directory(Protocol):
    """Who is who in one tenant, as it is just before the batch; to read, not to change."""

    def person(self, id: str) -> Person | None:
        """The person, or None when unknown or removed."""
        ...

    def has_group(self, id: str) -> bool:
        """Whether the group is known and not removed."""
        ...

    def members(self, group: str) -> Collection[str]:
        """Ids of the persons who are in the group."""
        ...


class Owner(msgspec.Struct, frozen=True):
    """The owner of a webhook, as `can_see` is given them."""

    id: str
    role: Role
    groups: Collection[str]
