"""The catalogue: all triggers that plugins registered, each held against what a trigger must be."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from core.errors import PluginError
from core.trigger import ROLES, Trigger

# fmt: off
DOCSPACE_TRIGGERS = (
    "user.created", "user.invited", "user.updated", "user.deleted",
    "group.created", "group.updated", "group.deleted",
    "file.created", "file.uploaded", "file.updated", "file.trashed", "file.deleted", "file.restored", "file.copied",
    "file.moved",
    "folder.created", "folder.updated", "folder.trashed", "folder.deleted", "folder.restored", "folder.copied",
    "folder.moved",
    "room.created", "room.updated", "room.archived", "room.deleted", "room.restored", "room.copied",
    "form.submit", "form.filled.out", "form.stopped",
    "agent.created", "agent.updated", "agent.deleted",
    "file.downloaded", "folder.downloaded",
)
# fmt: on
"""A name's place is its bit, whoever registers it: receivers and DocSpace's API know these numbers."""

BIT_MAX = 62
"""2**63 would not fit the signed 64 bits of `triggerId`."""

NAME = re.compile(r"[a-z]+(\.[a-z_]+)+")


class RegisteredTrigger(NamedTuple):
    """A trigger, and who registered it."""

    trigger: Trigger
    plugin: str
    version: str


Catalogue = Mapping[str, RegisteredTrigger]
"""By name, in the order of the catalogue."""


def catalogue_of(registered: Iterable[RegisteredTrigger]) -> Catalogue:
    """All of them, by name, sorted; PluginError names the plugin whose trigger cannot be."""
    names: dict[str, RegisteredTrigger] = {}
    bits: dict[int, RegisteredTrigger] = {}
    for entry in registered:
        trigger = entry.trigger
        fault = _name_fault(trigger) or _fault(trigger) or _bit_fault(trigger)
        if fault is not None:
            raise PluginError(f"plugin {entry.plugin!r}: trigger {trigger.name!r} {fault}")
        twin = names.get(trigger.name)
        if twin is not None:
            raise PluginError(f"plugin {entry.plugin!r}: trigger {trigger.name!r} is registered by {twin.plugin!r} too")
        names[trigger.name] = entry
        if trigger.bit is not None:
            twin = bits.setdefault(trigger.bit, entry)
            if twin is not entry:
                raise PluginError(
                    f"plugin {entry.plugin!r}: trigger {trigger.name!r} claims bit {trigger.bit} "
                    f"of {twin.trigger.name!r} (plugin {twin.plugin!r})"
                )
    ordered = sorted(names.values(), key=lambda entry: (entry.trigger.order, entry.trigger.name))
    return MappingProxyType({entry.trigger.name: entry for entry in ordered})


def _name_fault(trigger: Trigger) -> str | None:
    if not isinstance(trigger.name, str) or NAME.fullmatch(trigger.name) is None:
        return "has a name that is not noun.verb in lower-case letters"
    return None


def _fault(trigger: Trigger) -> str | None:
    # a msgspec struct does not look at what it is made of
    if type(trigger.order) is not int:
        return "needs an order that is an int"
    if trigger.changes_directory not in (True, False):
        return "needs a changes_directory that is a bool"
    roles: object = trigger.roles
    if isinstance(roles, str) or not isinstance(roles, Collection):
        return "needs roles that are a collection"
    if not isinstance(trigger.samples, Sequence) or not all(isinstance(one, Mapping) for one in trigger.samples):
        return "needs samples that are a sequence of objects"
    if not all(one is None or isinstance(one, Mapping) for one in (trigger.data_schema, trigger.payload_schema)):
        return "needs schemas that are objects"
    unknown = [role for role in roles if role not in ROLES]
    return f"has the unknown role {unknown[0]!r}: there are {', '.join(ROLES)}" if unknown else None


def _bit_fault(trigger: Trigger) -> str | None:
    bit = trigger.bit
    if bit is not None and (type(bit) is not int or not 0 <= bit <= BIT_MAX):
        return f"has a bit that is not 0 to {BIT_MAX}"
    if trigger.name in DOCSPACE_TRIGGERS:
        own = DOCSPACE_TRIGGERS.index(trigger.name)
        return None if bit == own else f"needs the bit {own}, DocSpace's number for it"
    if bit is not None and bit < len(DOCSPACE_TRIGGERS):
        return (
            f"claims bit {bit}, which belongs to {DOCSPACE_TRIGGERS[bit]!r}: {len(DOCSPACE_TRIGGERS)} and up are free"
        )
    return None
