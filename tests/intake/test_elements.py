"""An array is cut into its elements, however it comes, and nothing of them is changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.elements import Elements, is_deeper

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a"\\[]{},:\n\u00e9\u2028 ')),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
INDENTS = st.sampled_from([None, 0, 2])
SIZES = st.lists(st.integers(1, 30), min_size=1)


def cut(text, sizes, bytes_max=1_000_000):
    """All that is found in *text* behind its first bracket, fed in pieces of these sizes, over and over."""
    elements, found, at = Elements(bytes_max), [], 1
    while at < len(text):
        for size in sizes:
            found += elements.feed(text[at : at + size])
            at += size
    return elements, found


@given(st.lists(VALUES, max_size=6), INDENTS, SIZES)
def test_elements_are_those_of_the_array(values, indent, sizes):
    """In whatever pieces it comes, each element is there once, in order, with the line it begins on."""
    text = json.dumps(values, indent=indent, ensure_ascii=False).encode()
    elements, found = cut(text, sizes)
    assert [json.loads(raw) for _, raw in found] == values
    assert elements.is_whole
    assert not elements.behind
    lines = text.split(b"\n")
    assert [raw.split(b"\n")[0] in lines[line - 1] for line, raw in found] == [True] * len(found)
    if indent is None:
        assert {line for line, _ in found} <= {1}


LARGE = [
    b'"' + b"y" * 500 + b'"',
    b'"' + b'\\"' * 250 + b'\\\\"',
    b"[" * 60 + b'"]", ' + b"]" * 60,
    b"{" + b'"a]}":"\\\\",\n' * 30 + b"}",
    b"1" * 200,
]


@given(st.integers(0, 6), st.sampled_from(LARGE), SIZES)
def test_what_is_too_large_is_passed_over_and_not_kept(before, large, sizes):
    """An element of more bytes than asked for is said to be so, in its place and on its line; the others are whole."""
    text = b"[" + b"".join(b"%d,\n" % number for number in range(before)) + large + b", 77]"
    elements, found = cut(text, sizes, 100)
    assert [raw for _, raw in found] == [*[b"%d" % number for number in range(before)], None, b"77"]
    first = [line for line, _ in found]
    assert first == [*range(1, before + 2), before + 1 + large.count(b"\n")]
    assert elements.is_whole


def test_memory_holds_one_element_at_most():
    """What was fed is let go with the element it belongs to, and space is not kept at all."""
    elements = Elements(1_000)
    for piece in (b'"' + b"x" * 100, b" " * 500, b"[" * 400, b"\\" * 301):
        for _ in range(100):
            elements.feed(piece)
            assert len(elements._kept) <= 1_000 + len(piece)
    spaces = Elements(1_000)
    for _ in range(100):
        spaces.feed(b" \n" * 300)
    assert spaces._kept == b""
    assert spaces.feed(b"1,")[0].line == 30_001


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[]", []),
        (b"[ \n ]", []),
        (b"[1,]", [b"1", b""]),
        (b"[,1]", [b"", b"1"]),
        (b"[1 2]", [b"1 2"]),
        (b"[[}]", [b"[}"]),
        (b"[}]", [b"}"]),
    ],
)
def test_what_is_no_json_is_left_to_the_decoder(text, expected):
    """Commas and brackets are gone by, and nothing else: what is between them may be anything, or nothing."""
    assert [raw for _, raw in Elements(100).feed(text[1:])] == expected


@pytest.mark.parametrize(
    ("text", "is_whole", "behind"), [(b"[1", False, b""), (b'["]', False, b""), (b"[1] x", True, b"x")]
)
def test_how_it_ends_is_told(text, is_whole, behind):
    """An array that breaks off is not whole, and what comes behind one is told."""
    elements = Elements(100)
    elements.feed(text[1:])
    assert (elements.is_whole, elements.behind) == (is_whole, behind)


@given(VALUES, st.integers(0, 6))
def test_depth_is_the_depth_of_the_value(value, depth):
    """Depth counts arrays and objects that stand in each other, and no bracket in a string."""

    def deep(inner):
        members = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else None
        return 0 if members is None else 1 + max(map(deep, members), default=0)

    assert is_deeper(json.dumps(value).encode(), depth) == (deep(value) > depth)
