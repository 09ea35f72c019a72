"""CloudEvents 1.0, made into the plain form: in that they are checked, recorded and shown. Pure.

`id`, `type`, `time`, `actor` and `data` are what they are; `tenant` is the attribute, else the last segment of
`source`; `readers` becomes an array. All other attributes follow as members of their own, what is null is left out.
So `specversion` and `source` tell in the ledger that an event came as a CloudEvent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from core.elements import SPACE
from core.errors import InvalidInputError
from core.incoming import Checked, Rejected, checked, decoded, elements_of

SPEC_VERSION = "1.0"
MANDATORY = ("specversion", "id", "source", "type")
INTEGER_MAX = 2**31 - 1
"""An Integer of CloudEvents has 32 bits."""

_NAME = re.compile(r"[a-z0-9]+\Z")
_NO_CHARACTERS = "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
_NO_CHARACTER = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NO_CHARACTERS}]")
_URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+\Z")
_JSON_TYPE = re.compile(r"[^/\s]+/(?:[^/\s]+\+)?json\Z")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\Z')


class _Version(msgspec.Struct):
    specversion: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_ENCODE = msgspec.json.Encoder().encode
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_ATTRIBUTE = msgspec.json.Decoder(str | bool | int | None).decode
_VALUE = msgspec.json.Decoder(msgspec.Raw).decode

_VERSION = msgspec.json.Decoder(_Version).decode
_NULL = msgspec.Raw(b"null")

Attribute = str | bool | int


def structured(raw: bytes, tenant: str | None, path: str = "$") -> Checked | Rejected:
    """An event in the JSON format, in the structured mode. *path* is its place in the request, for errors."""
    return _checked(plain_of_structured(raw, path), tenant, path)


def batch(body: bytes, tenant: str | None) -> list[Checked | Rejected]:
    """The events of a batch in the JSON format. InvalidInputError when it is not an array, or of too many."""
    return [structured(raw, tenant, f"$[{index}]") for index, raw in enumerate(elements_of(body.strip(SPACE)))]


def binary(
    attributes: Mapping[str, str], content_type: str | None, body: bytes, tenant: str | None, prefix: str = "ce-"
) -> Checked | Rejected:
    """An event in the binary mode: its attributes by name, as text, without their *prefix*; its data is the body."""
    return _checked(plain_of_binary(attributes, content_type, body, prefix), tenant, "$")


def _checked(plain: bytes | Rejected, tenant: str | None, path: str) -> Checked | Rejected:
    event = plain if isinstance(plain, Rejected) else checked(plain, tenant, path)
    if isinstance(event, Rejected) and event.error == f"{path}.tenant: not yours":
        error = f"{event.error}: it is the last segment of source, where no attribute tenant says it"
        return msgspec.structs.replace(event, error=error)
    return event


def header_attributes(headers: Iterable[tuple[str, str]], prefix: str = "ce-") -> dict[str, str]:
    """The attributes that HTTP headers hold. InvalidInputError names one that stands twice, or is not encoded well."""
    attributes: dict[str, str] = {}
    for header, value in headers:
        name = header.lower()
        if name.startswith(prefix):
            if name.removeprefix(prefix) in attributes:
                raise InvalidInputError(f"the header {name} stands there twice")
            attributes[name.removeprefix(prefix)] = _header_value(name, value)
    return attributes


def _header_value(name: str, value: str) -> str:
    """Without its quotes, and then, once, without percent-encoding."""
    quoted = _QUOTED.match(value)
    text = value if quoted is None else re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        return unquote_to_bytes(text.encode()).decode()
    except UnicodeError:
        raise InvalidInputError(f"the header {name} is not UTF-8, percent-encoded") from None


def plain_of(raw: bytes, path: str) -> bytes | Rejected:
    """The plain form of an event that is either plain or, where it has a `specversion`, a structured CloudEvent."""
    if is_one(raw, path):
        return plain_of_structured(raw, path)
    value = decoded(raw, path, _VALUE)
    return value if isinstance(value, Rejected) else raw


def is_one(raw: bytes, path: str) -> bool:
    """Whether this is a CloudEvent in the JSON format: it has a `specversion`."""
    if b'"specversion"' not in raw:
        return False
    found = decoded(raw, path, _VERSION)
    return isinstance(found, _Version) and found.specversion is not msgspec.UNSET


def plain_of_structured(raw: bytes, path: str) -> bytes | Rejected:
    """The plain form, in bytes, that is still to be checked as such; or what makes it no CloudEvent."""
    members = decoded(raw, path, _MEMBERS)
    if isinstance(members, Rejected):
        return members
    data, data_base64 = members.pop("data", None), members.pop("data_base64", _NULL)
    attributes: dict[str, Attribute] = {}
    for name, value in members.items():
        try:
            attribute = _ATTRIBUTE(value)
        except msgspec.ValidationError:
            expected = "str, with spaces between readers" if name == "readers" else "str, bool or int"
            return _rejected(attributes, f"{path}.{name}: expected {expected}")
        if attribute is not None:
            attributes[name] = attribute
    body = None if data is None else bytes(data)
    content_type = attributes.get("datacontenttype")
    if bytes(data_base64) != b"null":
        if body is not None:
            return _rejected(attributes, f"{path}.data_base64: expected data or data_base64, not both")
        body = _from_base64(bytes(data_base64))
        if body is None:
            return _rejected(attributes, f"{path}.data_base64: expected str in base64")
        content_type = "of no known type" if content_type is None else content_type
    return _plain(attributes, content_type, body, path)


def plain_of_binary(
    attributes: Mapping[str, str], content_type: str | None, body: bytes, prefix: str
) -> bytes | Rejected:
    """The same of an event in the binary mode; without a Content-Type, its data is taken for JSON."""
    if "datacontenttype" in attributes:
        return _rejected(attributes, "$.datacontenttype: expected as the Content-Type, and nowhere else")
    for name in MANDATORY:
        if name not in attributes:
            return _rejected(attributes, f"the header {prefix}{name} is missing")
    typed = {**attributes} if content_type is None else {**attributes, "datacontenttype": content_type}
    return _plain(typed, content_type, body.strip(SPACE) or None, "$")


def _from_base64(value: bytes) -> bytes | None:
    try:
        return msgspec.json.decode(value, type=bytes)
    except msgspec.ValidationError:
        return None


def _plain(
    attributes: Mapping[str, Attribute], content_type: Attribute | None, data: bytes | None, path: str
) -> bytes | Rejected:
    fault = _fault(attributes) or _data_fault(content_type, data)
    if fault is not None:
        return _rejected(attributes, f"{path}.{fault}")
    members: dict[str, object] = {"id": attributes.get("id"), "tenant": attributes.get("tenant")}
    if members["tenant"] is None:
        members["tenant"] = _last_segment(str(attributes["source"]))
    members |= {name: attributes.get(name) for name in ("type", "time", "actor", "readers")}
    if isinstance(members["readers"], str):
        members["readers"] = [reader for reader in members["readers"].split(" ") if reader]
    if data is not None:
        value = decoded(data, f"{path}.data", _VALUE)
        if isinstance(value, Rejected):
            return msgspec.structs.replace(value, id=_id(attributes))
        members["data"] = value
    members = {name: value for name, value in members.items() if value is not None}
    return _ENCODE(members | {name: value for name, value in attributes.items() if name not in members})


def _fault(attributes: Mapping[str, Attribute]) -> str | None:
    """What is wrong with the attributes, by the rules that are CloudEvents' own."""
    for name, value in attributes.items():
        if (fault := _attribute_fault(name, value)) is not None:
            return f"{name}: {fault}"
    for name in MANDATORY:
        if name not in attributes:
            return f"{name}: missing"
    for name in ("source", "subject", "dataschema", "datacontenttype", "readers"):
        if not isinstance(attributes.get(name, ""), str):
            return f"{name}: expected str"
    for name in ("subject", "dataschema", "datacontenttype"):
        if attributes.get(name) == "":
            return f"{name}: expected str of length >= 1"
    if attributes["specversion"] != SPEC_VERSION:
        return f'specversion: expected "{SPEC_VERSION}"'
    if not _is_uri_reference(str(attributes["source"])):
        return "source: expected a URI reference that ends in the tenant, such as /portals/1"
    return None


def _attribute_fault(name: str, value: Attribute) -> str | None:
    if _NAME.match(name) is None or name == "data":
        return "expected a name of a-z and 0-9, other than data"
    if isinstance(value, str) and _NO_CHARACTER.search(value) is not None:
        return "expected str without control characters"
    if isinstance(value, int) and not -INTEGER_MAX - 1 <= value <= INTEGER_MAX:
        return "expected an int of 32 bits"
    return None


def _data_fault(content_type: Attribute | None, data: bytes | None) -> str | None:
    """Why the data cannot be read as JSON, which it must be."""
    if content_type is None or data is None:
        return None
    kind, _, parameters = str(content_type).partition(";")
    if _JSON_TYPE.match(kind.strip().lower()) is None:
        return f"data: it is {kind.strip()}, and expected application/json"
    charset = _CHARSET.search(f";{parameters}")
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        return f"data: it is in {charset[1]}, and expected in UTF-8"
    return None


def _is_uri_reference(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:
        return False
    return _URI_REFERENCE.match(text) is not None


def _last_segment(source: str) -> str | None:
    """The last segment of the path that is not empty, decoded."""
    segments = [segment for segment in urlsplit(source).path.split("/") if segment]
    return unquote_to_bytes(segments[-1]).decode("utf-8", "replace") if segments else None


def _rejected(attributes: Mapping[str, Attribute], error: str) -> Rejected:
    return Rejected(_id(attributes), error)


def _id(attributes: Mapping[str, Attribute]) -> str | None:
    id = attributes.get("id")
    return id if isinstance(id, str) else None
