"""Columns of values as the bytes in which PostgreSQL takes an array: a header, then each value behind its length.

psycopg builds them value by value; these are built column by column, in a fifth of the time. They also have one
type, whatever is in them, so that a statement with them is prepared once: psycopg names the smallest integer that
holds a list's values, and none at all for a list of nothing but None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct, pack
from typing import Any, cast

from psycopg.adapt import Dumper
from psycopg.pq import Format

HEADER = Struct(">iiI")
"""How many dimensions, whether there are nulls, the type of a value."""
DIMENSION = Struct(">ii")
"""How many values, number of the first."""
LENGTH = Struct(">i").pack
LONG = Struct(">iq").pack
NULL = LENGTH(-1)
BYTEA, BIGINT, INT, TEXT = 17, 20, 23, 25
"""What PostgreSQL calls its types, in every database."""


class Array(bytes):
    """An array in its binary form."""

    __slots__ = ()


class ArrayDumper(Dumper):
    """Hands an Array to the server as it is; the statement says of what."""

    format = Format.BINARY

    def dump(self, obj: Array) -> Array:
        return obj


def of_ints(values: Sequence[int]) -> Array:
    """int[]; struct.error when one is too long."""
    return _array(INT, values, pack(f">{2 * len(values)}i", *_behind(4, values)))


def of_bigints(values: Sequence[int | None]) -> Array:
    """bigint[], with nulls where a value is None; struct.error when one is too long."""
    if None in values:
        return _array(BIGINT, values, b"".join(NULL if value is None else LONG(8, value) for value in values))
    return _array(BIGINT, values, pack(">" + "iq" * len(values), *_behind(8, values)))


def of_bytes(values: Sequence[bytes | None], kind: int = BYTEA) -> Array:
    """bytea[], with nulls where a value is None."""
    if len({-1 if value is None else len(value) for value in values}) == 1 and values[0] is not None:
        # Ids, keys and salts: most of all values.
        length = LENGTH(len(values[0]))
        return _array(kind, values, length + length.join(cast(Sequence[bytes], values)))
    parts = []
    for value in values:
        if value is None:
            parts.append(NULL)
        else:
            parts.append(LENGTH(len(value)))
            parts.append(value)
    return _array(kind, values, b"".join(parts))


def of_texts(values: Sequence[str | None]) -> Array:
    """text[], with nulls where a value is None."""
    return of_bytes([None if value is None else value.encode() for value in values], TEXT)


def _behind(size: int, values: Sequence[int | None]) -> list[int | None]:
    """Each value behind its size."""
    words: list[int | None] = [size] * (2 * len(values))
    words[1::2] = values
    return words


def _array(kind: int, values: Sequence[Any], data: bytes) -> Array:
    if not values:
        return Array(HEADER.pack(0, 0, kind))
    # That there may be nulls is said always: it costs nothing.
    return Array(HEADER.pack(1, 1, kind) + DIMENSION.pack(len(values), 1) + data)


OF: dict[str, Callable[[Sequence[Any]], Array]] = {
    "bigint": of_bigints,
    "bytea": of_bytes,
    "int": of_ints,
    "text": of_texts,
}
"""What makes an array of each type."""
