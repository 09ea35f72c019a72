"""Stored states of every topic, read: an event of the types it declares, or a LedgerError; nothing else.

The judge reads the same bytes with another MessagePack reader and holds each value against the type hints.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgpack
import msgspec

from core.errors import LedgerError
from core.model.event import Event
from core.model.topics import TOPICS, Codec

MODULES = ("core.model.topics",)


class Painted(Event):
    """What a third version of an event is today; its past is below."""

    front: int
    back: int
    shines: bool = False


NUMBERS = {"red": 1, "blue": 2}
KITES = {
    "Kite.Painted/1": ("Kite.Painted/2", lambda old: [*old, old[2]]),
    "Kite.Painted/2": ("Kite.Painted/3", lambda old: [*old[:2], NUMBERS[old[2]], NUMBERS[old[3]]]),
}
CODEC = Codec(TOPICS | {"Kite.Painted/3": Painted}, KITES)
ALL: Sequence[str] = (*TOPICS, "Kite.Painted/3", *KITES)


def seeds() -> list[bytes]:
    """A true state of each topic, behind the number of its topic."""
    own = {topic: CODEC.encode(example(kind))[1] for topic, kind in TOPICS.items()}
    kites = {
        "Kite.Painted/1": msgspec.msgpack.encode(["1", 5, "red"]),
        "Kite.Painted/2": msgspec.msgpack.encode(["1", 5, "red", "blue"]),
        "Kite.Painted/3": msgspec.msgpack.encode(["1", 5, 1, 2, True]),
    }
    return [bytes([ALL.index(topic)]) + state for topic, state in {**own, **kites}.items()]


def look(data: bytes) -> bool:
    """True when it was an event."""
    if not data:
        return False
    topic, state = ALL[data[0] % len(ALL)], data[1:]
    try:
        event = CODEC.decode(topic, state)
    except LedgerError:
        return False
    judged(event, topic, state)
    return True


def judged(event: Event, topic: str, state: bytes) -> None:
    """What was accepted has the types its class declares, and is what the bytes say."""
    for name, hint in hints(type(event)).items():
        assert fits(getattr(event, name), hint), (topic, name, getattr(event, name), hint)
    again = CODEC.decode(*CODEC.encode(event))
    assert again == event or again != again, (topic, state)  # noqa: PLR0124 -- NaN is not equal to itself
    if topic in TOPICS:
        said = msgpack.unpackb(state, strict_map_key=False, raw=False)
        names = [field.name for field in msgspec.structs.fields(type(event))]
        for name, value in zip(names, said, strict=False):
            if isinstance(value, str | int | bool):
                assert getattr(event, name) == value, (topic, name, value)


def example(hint: Any) -> Any:
    """Some value of a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType, Literal):
        return example(arguments[0]) if origin is not Literal else arguments[0]
    if origin is tuple:
        return tuple(example(one) for one in arguments if one is not Ellipsis)
    if origin is dict:
        return {example(arguments[0]): example(arguments[1])}
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint(**{name: example(one) for name, one in hints(hint).items()})
    if hint is Any:
        return "anything"
    return {str: "café", int: 1_790_000_000_000, bytes: bytes(range(16)), bool: True}[hint]


@cache
def hints(kind: type) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(kind).items() if name in kind.__struct_fields__}


def fits(value: object, hint: Any) -> bool:
    """Whether a value has a type; the types are those that events are made of."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(fits(one, arguments[0]) for one in value)
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    if origin in (dict, list):
        return isinstance(value, origin)
    if hint is None:
        return value is None
    if hint is Any:
        return True
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return isinstance(value, hint) and all(fits(getattr(value, name), one) for name, one in hints(hint).items())
    return type(value) is hint
