"""JSON as DocSpace writes it: compact, pure ASCII, .NET's escapes, default values left out of objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

EMPTY_GUID = "00000000-0000-0000-0000-000000000000"

_DEFAULT_DATE = re.compile(r"0001-01-01T00:00:00(?:\.0+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_OTHERWISE = b"\\&'+<>`\x7f" + bytes(range(0x80, 0x100))
"""What msgspec writes and .NET does not, or not so; the rest of ASCII is the same in both."""
_FOREIGN = re.compile(r"[&'+<>`\x7f-\U0010ffff]+")
_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|.)")


def encode(value: Any) -> bytes:
    """*value* (of JSON's types) in a receiver's bytes, without the members that have their type's default value:
    null, false, 0, the empty GUID, the default date; at every depth.

    Empty strings, arrays and objects stay, and so does everything in an array. What a string was in DocSpace is not
    known here: one that reads like the empty GUID or the default date is taken for it.
    """
    return encode_whole(_kept(value))


def encode_whole(value: Any) -> bytes:
    """*value* in a receiver's bytes, default values and all."""
    try:
        raw = msgspec.json.encode(value)
    except UnicodeEncodeError:
        raw = msgspec.json.encode(_paired(value))
    if len(raw.translate(None, _OTHERWISE)) == len(raw):
        return raw
    text = raw.decode()
    if "\\" in text:
        text = _ESCAPE.sub(_dotnet_escape, text)
    return _FOREIGN.sub(_hex_escapes, text).encode("ascii")


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        return _kept_members(value)
    if isinstance(value, list | tuple):
        return [_kept(element) for element in value]
    return _kept_members(value) if isinstance(value, Mapping) else value


def _kept_members(members: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in members.items():
        # Every payload passes here: its kind, and not isinstance, for speed; a plugin's own kinds go the long way.
        kind = type(value)
        if kind is str:
            if value[:3] != "000" or not _is_default(value):
                kept[key] = value
        elif kind is int or kind is bool:
            if value:
                kept[key] = value
        elif kind is dict:
            kept[key] = _kept_members(value)
        elif value is not None and not _is_default(value):
            kept[key] = _kept(value)
    return kept


def _is_default(value: Any) -> bool:
    if isinstance(value, str):
        return value == EMPTY_GUID or _DEFAULT_DATE.fullmatch(value) is not None
    return isinstance(value, int | float) and not value


def _dotnet_escape(found: re.Match[str]) -> str:
    escape = found[0]
    if escape == '\\"':
        return "\\u0022"
    return "\\u" + escape[2:].upper() if escape[1] == "u" else escape


def _hex_escapes(found: re.Match[str]) -> str:
    return "\\u" + found[0].encode("utf-16-be").hex("-", 2).upper().replace("-", "\\u")


def _paired(value: Any) -> Any:
    """*value* with every surrogate that has lost its other half replaced, as .NET does; whole pairs are joined."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {_paired(key): _paired(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_paired(element) for element in value]
    return value
