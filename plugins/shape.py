"""A shape: which members an entity of the portal has, of which type, and in which order receivers get them."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any

from hookledger import Unreadable

TYPES: Mapping[str, frozenset[type]] = {
    "int": frozenset({int, NoneType}),
    "str": frozenset({str, NoneType}),
    "bool": frozenset({bool, NoneType}),
    "int or str": frozenset({int, str, NoneType}),
    "object": frozenset({dict, NoneType}),
    "object or str": frozenset({dict, str, NoneType}),
    "array": frozenset({list, NoneType}),
}
"""How a shape says a type → what decoded JSON has there. null is every member's default, and as good as absent."""

JSON_TYPES: Mapping[str, tuple[str, ...]] = {
    "int": ("integer",),
    "str": ("string",),
    "bool": ("boolean",),
    "int or str": ("integer", "string"),
    "object": ("object",),
    "object or str": ("object", "string"),
    "array": ("array",),
}
"""The same, as JSON Schema names it."""

INT_MIN, INT_MAX = -(2**63), 2**64 - 1
"""Ids are recorded as 64 bits; JSON has longer numbers."""


class Shape:
    """`sent` are the members receivers get, in their order; `heard` are those that only we listen to. Both: name →
    a type of TYPES. What is in neither is not looked at. There is always an `id`."""

    def __init__(self, sent: Mapping[str, str], heard: Mapping[str, str] | None = None) -> None:
        self._words = {**sent, **(heard or {})}
        self._types = {name: TYPES[word] for name, word in self._words.items()}
        self._sent = tuple(sent)

    def data_schema(self) -> Mapping[str, Any]:
        """What a portal may send, as JSON Schema: null is as good as absent, but for the id."""
        known = {name: _typed(*JSON_TYPES[word], "null") for name, word in self._words.items()}
        return _object({**known, "id": _typed(*JSON_TYPES[self._words["id"]])})

    def payload_schema(self) -> Mapping[str, Any]:
        """What receivers get, as JSON Schema."""
        return _object({name: _typed(*JSON_TYPES[self._words[name]]) for name in self._sent})

    def mistake(self, data: Mapping[str, Any], path: str) -> Unreadable | None:
        """The first member of the wrong type, or an `id` that names nothing; None when all is well."""
        types = self._types
        for name, value in data.items():
            expected = types.get(name)
            if expected is not None and type(value) not in expected:
                return Unreadable(f"{path}.{name}", f"expected {self._words[name]}")
        id = data.get("id")
        if id is None:
            return Unreadable(f"{path}.id", f"expected {self._words['id']}")
        if id == "":
            return Unreadable(f"{path}.id", f"expected {self._words['id']}, not empty")
        if type(id) is int and not INT_MIN <= id <= INT_MAX:
            return Unreadable(f"{path}.id", "expected an int of at most 64 bits")
        return None

    def payload(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What receivers get of it. Nested values are the same objects, not copies."""
        get = data.get
        return {name: value for name in self._sent if (value := get(name)) is not None}


def _typed(*types: str) -> Mapping[str, Any]:
    return {"type": types[0] if len(types) == 1 else [*types]}


def _object(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "properties": properties, "required": ["id"]}
