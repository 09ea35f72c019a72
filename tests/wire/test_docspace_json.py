"""JSON as DocSpace writes it: what is left out, what is escaped, and that nothing else changes."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.wire.docspace_json import encode, encode_whole

GUID = "00000000-0000-0000-0000-000000000000"
TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.sampled_from([GUID, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000000"])
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


def pruned(value):
    """What a receiver should read: a second, plain telling of the rule."""
    if isinstance(value, dict):
        return {whole(key): pruned(member) for key, member in value.items() if not left_out(member)}
    if isinstance(value, list):
        return [pruned(element) for element in value]
    return whole(value) if isinstance(value, str) else value


def left_out(value):
    if isinstance(value, str):
        return value == GUID or value in {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000000"}
    return value is None or (isinstance(value, bool | int | float) and value == 0)


def whole(text):
    """Surrogates in pairs are one character, the others the replacement character."""
    return re.sub("[\ud800-\udfff]", "\ufffd", json.loads(json.dumps(text)))


def dotnet(text):
    """The text between quotes, character by character."""
    short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", "\\": "\\\\"}
    out = []
    for char in whole(text):
        if char in short:
            out.append(short[char])
        elif " " <= char <= "~" and char not in "\"'&<>+`":
            out.append(char)
        elif ord(char) > 0xFFFF:
            high, low = divmod(ord(char) - 0x10000, 0x400)
            out.append(f"\\u{0xD800 + high:04X}\\u{0xDC00 + low:04X}")
        else:
            out.append(f"\\u{ord(char):04X}")
    return f'"{"".join(out)}"'.encode("ascii")


@pytest.mark.parametrize(
    "value",
    [
        None,
        False,
        0,
        0.0,
        -0.0,
        GUID,
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00.0000000Z",
        "0001-01-01T00:00:00+00:00",
        "0001-01-01T00:00:00.000+03:00",
    ],
)
def test_a_default_is_left_out_of_objects_at_every_depth_and_kept_in_arrays(value):
    """A member with its type's default value is not sent; an element is."""
    element = json.dumps(value)
    if value == 0.0 and isinstance(value, float):
        element = repr(value)
    if isinstance(value, str):
        element = element.replace("+", "\\u002B")
    assert encode({"a": value, "b": {"c": value, "d": 1}, "e": [value, {"f": value}]}) == (
        b'{"b":{"d":1},"e":[%b,{}]}' % element.encode()
    )


@pytest.mark.parametrize(
    "value",
    ["", [], {}, "0", "false", "00000000", "0001-01-01", "0001-01-01T00:00:00.0001Z", "0001-01-01T00:00:01Z", -1],
)
def test_what_is_no_default_stays(value):
    """Empty strings, arrays and objects are values, and so is text that only begins like a default."""
    assert json.loads(encode({"a": value})) == {"a": value}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("José O'Neil", b"Jos\\u00E9 O\\u0027Neil"),
        ("\"'&<>+`", b"\\u0022\\u0027\\u0026\\u003C\\u003E\\u002B\\u0060"),
        ("\\ \b \t \n \f \r", b"\\\\ \\b \\t \\n \\f \\r"),
        ("\x00\x0b\x1f\x7f\x80", b"\\u0000\\u000B\\u001F\\u007F\\u0080"),
        ("/ ~ = ? : , { }", b"/ ~ = ? : , { }"),
        ("\u2028 \ufeff \uffff", b"\\u2028 \\uFEFF \\uFFFF"),
        ("\U0001f600", b"\\uD83D\\uDE00"),
        ("\ud83d\ude00", b"\\uD83D\\uDE00"),
        ("a\ud83db", b"a\\uFFFDb"),
        ("\ude00\ud83d", b"\\uFFFD\\uFFFD"),
        ('\\"', b"\\\\\\u0022"),
        ("\\u00e9 \\", b"\\\\u00e9 \\\\"),
    ],
)
def test_strings_are_escaped_as_dotnet_does(text, written):
    """Every character that .NET's default encoder escapes is escaped, in its form, in values and in names."""
    assert encode(text) == b'"%b"' % written
    assert encode({text: text}) == b'{"%b":"%b"}' % (written, written)


def test_every_character_alone_is_escaped_as_dotnet_does():
    """No character depends on another one beside it to be escaped."""
    for char in [*map(chr, range(0x180)), "\u2028", "\ud7ff", "\ud800", "\udfff", "\ue000", "\U0010ffff"]:
        assert encode(char) == dotnet(char)


def test_names_and_elements_keep_their_order():
    """Members are written in the order they have, whatever kind of mapping holds them."""
    value = OrderedDict(z=1, a=MappingProxyType({"y": 2, "b": 0}), m=(3, 1, 2))
    assert encode(value) == b'{"z":1,"a":{"y":2},"m":[3,1,2]}'


def test_numbers_keep_their_value():
    """Numbers are as they were, those beyond 64 bits too."""
    assert encode([1, -5, 2**62, 2**70, 1.5, True]) == b"[1,-5,4611686018427387904,1180591620717411303424,1.5,true]"


def test_whole_values_keep_their_defaults():
    """What we say ourselves is not thinned out."""
    assert encode_whole({"name": GUID, "n": 0, "é": None}) == b'{"name":"%b","n":0,"\\u00E9":null}' % GUID.encode()


@given(VALUES)
def test_a_receiver_reads_the_pruned_value(value):
    """Whatever a payload holds, its bytes are ASCII without line breaks and read back as what was not left out."""
    written = encode(value)
    assert written.isascii()
    assert written.decode("ascii").isprintable()
    assert json.loads(written) == pruned(value)


@given(TEXT)
def test_every_text_is_escaped_as_dotnet_does(text):
    """Any text is written as .NET's rules, told one character at a time, say."""
    assert encode(text) == dotnet(text)
