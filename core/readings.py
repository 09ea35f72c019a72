"""What a plugin's answers must be: faults are found here, before anything else touches them."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from core.limits import PLUGIN_FAULT_CHARS_MAX
from core.trigger import ROLES, Reading, RemoveGroup, RemovePerson, SetGroup, SetPerson, Unreadable

STATUSES = ("active", "pending", "terminated")
ID_MIN, ID_MAX = -(2**63), 2**64 - 1
"""What msgpack can hold."""


def described(error: BaseException) -> str:
    """One bounded line that says what a plugin raised, even where its text cannot be made."""
    text = " ".join("".join(traceback.format_exception_only(error)).split())
    # half a surrogate pair cannot be stored
    return text[:PLUGIN_FAULT_CHARS_MAX].encode("utf-8", "backslashreplace").decode()


def reading_fault(answer: object, changes_directory: bool) -> str | None:
    """What is wrong with the answer to one event; None when nothing is."""
    if type(answer) is Reading:
        return _shape_fault(answer) or _changes_fault(answer.changes, changes_directory)
    if type(answer) is Unreadable:
        well = isinstance(answer.path, str) and isinstance(answer.reason, str)
        return None if well else "answered an Unreadable whose path or reason is no str"
    return f"answered {type(answer).__name__}, neither Reading nor Unreadable"


def _shape_fault(reading: Reading) -> str | None:
    # a msgspec struct does not look at what it is made of
    payload: object = reading.payload
    target_type: object = reading.target_type
    readers: object = reading.readers
    if type(payload) is not dict and not isinstance(payload, Mapping):
        return f"payload is {type(payload).__name__}, not a mapping"
    if not isinstance(target_type, str):
        return f"target_type is {type(target_type).__name__}, not str"
    if not _is_list(reading.target_ids):
        return f"target_ids is {type(reading.target_ids).__name__}, not a sequence"
    for id in reading.target_ids:
        if type(id) is not str and (type(id) is not int or not ID_MIN <= id <= ID_MAX):
            return f"target_ids holds {type(id).__name__}, not str or an int of 64 bits"
    if readers is not None and not _are_texts(readers):
        return "readers is neither None nor a sequence of str"
    return None


def _changes_fault(changes: object, changes_directory: bool) -> str | None:
    if changes == ():
        return None
    if not _is_list(changes):
        return f"changes is {type(changes).__name__}, not a sequence"
    if changes and not changes_directory:
        return "has changes, and its trigger does not say changes_directory"
    for change in changes:
        fault = _change_fault(change)
        if fault is not None:
            return fault
    return None


def _change_fault(change: Any) -> str | None:
    name = type(change).__name__
    if not isinstance(change, SetPerson | RemovePerson | SetGroup | RemoveGroup):
        return f"changes holds {name}, which is no change"
    if not isinstance(change.id, str) or not change.id:
        return f"{name} needs an id"
    if isinstance(change, SetPerson):
        if change.role is not None and change.role not in ROLES:
            return f"{name} has an unknown role"
        if change.status is not None and change.status not in STATUSES:
            return f"{name} has an unknown status"
        if change.groups is not None and not _are_texts(change.groups):
            return f"{name}.groups is neither None nor a sequence of str"
        if not _are_texts(change.joins) or not _are_texts(change.leaves):
            return f"{name}.joins or .leaves is not a sequence of str"
    return None


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    """A sequence, and not a text: the two types plugins use first, because asking the abstract one is slow."""
    kind = type(value)
    return kind is tuple or kind is list or (isinstance(value, Sequence) and not isinstance(value, str | bytes))


def _are_texts(value: object) -> bool:
    return _is_list(value) and all(type(text) is str for text in value)
