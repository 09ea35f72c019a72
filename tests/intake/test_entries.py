"""A file of entries: which form it is in is told by its beginning, and it is cut in whatever pieces it comes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.entries import BYTE_ORDER_MARK, Entries
from core.errors import HookledgerError

OBJECTS = st.lists(st.fixed_dictionaries({"id": st.text(st.sampled_from('a"\\[]{},\n\u00e9 '))}), max_size=8)
SIZES = st.lists(st.integers(1, 40), min_size=1)


def cut(text, sizes=(1_000,), bytes_max=10_000):
    entries, found, at = Entries(bytes_max), [], 0
    while at < len(text):
        for size in sizes:
            found += entries.feed(text[at : at + size])
            at += size
    return found + entries.close()


@given(
    OBJECTS,
    SIZES,
    st.sampled_from(["\n", "\r\n", "\n\n", " \n\t\n"]),
    st.booleans(),
    st.sampled_from([b"", BYTE_ORDER_MARK]),
)
def test_lines_are_entries(objects, sizes, end, has_last_end, mark):
    """One entry a line, whatever ends it; lines without anything are counted, and are no entries."""
    text = end.join(json.dumps(each) for each in objects) + (end if has_last_end else "")
    found = cut(mark + text.encode(), sizes)
    assert [json.loads(raw) for _, raw in found] == objects
    assert [line for line, _ in found] == [1 + number * end.count("\n") for number in range(len(objects))]


@given(OBJECTS, SIZES, st.sampled_from([None, 2]), st.sampled_from(["", "\n", "\ufeff\n "]))
def test_an_array_is_its_elements(objects, sizes, indent, before):
    """An array on one line or on many, with the line each element begins on."""
    text = before + json.dumps(objects, indent=indent) + "\n"
    found = cut(text.encode(), sizes)
    assert [json.loads(raw) for _, raw in found] == objects
    lines = text.split("\n")
    assert all(raw.decode().split("\n")[0] in lines[line - 1] for line, raw in found)


@given(st.sampled_from([None, 2]), SIZES, st.sampled_from(["", "\n"]), st.sampled_from(["", "\n\n"]))
def test_a_single_entry_may_take_many_lines(indent, sizes, before, after):
    """A file that is one JSON value is one entry."""
    one = {"id": "a", "data": {"id": 1, "tags": ["x"]}}
    ((line, raw),) = cut((before + json.dumps(one, indent=indent) + after).encode(), sizes)
    assert (json.loads(raw), line) == (one, 1 + before.count("\n"))


@pytest.mark.parametrize("text", [b"", b" \n\n", BYTE_ORDER_MARK, b"[]", b"\n[ ]\n"])
def test_nothing_is_no_entry(text):
    """An empty file is fine, and has nothing in it."""
    assert cut(text) == []


def test_a_bad_line_stays_one():
    """A line that is not JSON is an entry as any other, also the first and the last; for its decoder to refuse."""
    found = cut(b'{"id"\n{"id": "b"}\n}\n{"id": "c"}\n{', (7,))
    assert [raw for _, raw in found] == [b'{"id"', b'{"id": "b"}', b"}", b'{"id": "c"}', b"{"]
    assert [line for line, _ in found] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("sizes", [(1_000_000,), (64,)])
@pytest.mark.parametrize("where", range(3))
def test_what_is_too_large_is_told_and_not_kept(where, sizes):
    """A line, or an element, of more bytes than asked for has its place, and its neighbours are whole."""
    large = b'{"id": "' + b"x" * 5_000 + b'"}'
    lines = [b'{"id": "a"}', b'{"id": "b"}']
    lines.insert(where, large)
    expected = [None if line == large else line for line in lines]
    for text in (b"\n".join(lines), b"[" + b",\n".join(lines) + b"]"):
        found = cut(text, sizes, 1_000)
        assert [raw for _, raw in found] == expected
        assert [line for line, _ in found] == [1, 2, 3]


def test_memory_is_flat():
    """However long the file, or one of its lines, no more is kept than one entry may have, and a chunk."""
    for begin, piece in ((b"", b"x" * 500), (b'{"id": 1}\n', b" " * 500), (b"[", b'"a", ' * 100), (b'["', b"x" * 500)):
        entries = Entries(1_000)
        entries.feed(begin)
        for _ in range(50):
            entries.feed(piece)
            kept = len(entries._kept) + (0 if entries._array is None else len(entries._array._kept))
            assert kept <= 1_000 + len(piece)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'[{"id": "a"}, {"id"', "ends before its array does"),
        (b'[{"id": "a"}, {"id": "b"}', "ends before its array does"),
        (b'[{"id": "a"}] {"id": "b"}', "something stands behind the array"),
    ],
)
def test_an_array_that_is_not_whole_is_told_at_the_end(text, says):
    """Its elements come out as they end; that it breaks off is told when the file does."""
    entries = Entries(1_000)
    assert [raw for _, raw in entries.feed(text)] == [b'{"id": "a"}']
    with pytest.raises(HookledgerError, match=says):
        entries.close()
