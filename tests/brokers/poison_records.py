"""Records that are no portal events, of every kind we know, each with what its dead letter must say."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kafka.record.default_records import DefaultRecordBatchBuilder

from core.limits import EVENT_BYTES_MAX, REQUEST_BYTES_MAX
from tests.brokers.odd_client import NULL, OddName

TOPIC_BYTES_MAX = 1_048_588
"""What a topic takes of one batch where nobody says otherwise (max.message.bytes)."""
BATCH = 80
"""Of these, a batch's own."""
LOOSE = 4_000
"""Bytes that are not random, of a record that fills its topic's limit: so it does when it is compressed, too."""

Headers = list[tuple[str, bytes]]


class Bad(NamedTuple):
    """A record that must die: *reason* is part of what is said of it; `is_cut` where it cannot fit as it is. *ids* are
    those of the good events in it."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    reason: str
    is_cut: bool = False
    ids: tuple[str, ...] = ()


Kind = Callable[[str, random.Random], Bad]


def event(id: str, **said: object) -> dict[str, object]:
    return {"id": id, "type": "file.created", "data": {"id": 1, "title": f"report {id}.docx"}, **said}


def plain(id: str, **said: object) -> bytes:
    return json.dumps(event(id, **said)).encode()


def _bad(value: bytes | None, reason: str, *headers: tuple[str, bytes], key: bytes | None = b"k") -> Kind:
    return lambda _id, _rng: Bad(key, value, list(headers), reason)


def _of(make: Callable[[str], bytes], reason: str, *headers: tuple[str, bytes]) -> Kind:
    return lambda id, _rng: Bad(id.encode(), make(id), list(headers), reason)


def _content(kind: str) -> tuple[str, bytes]:
    return ("content-type", kind.encode())


def _ce(**said: str) -> Headers:
    whole = {"specversion": "1.0", "id": "a", "source": "/portals/1", "type": "file.created"} | said
    return [(f"ce_{name}", value.encode()) for name, value in whole.items() if value]


def _random(rng: random.Random, size: int) -> bytes:
    """What no compression makes smaller, and no JSON."""
    return b"\xff" + rng.randbytes(size - 1)


def _half_good(id: str, _rng: random.Random) -> Bad:
    elements = [event(f"{id}-first"), event(f"{id}-odd", type=7), event(f"{id}-last")]
    value = json.dumps(elements).encode()
    return Bad(b"k", value, [], "1 of 3 events: $[1].type: expected str", ids=(f"{id}-first", f"{id}-last"))


def _half_good_clouds(id: str, _rng: random.Random) -> Bad:
    good = {"specversion": "1.0", "source": "/portals/1", **event(f"{id}-cloud")}
    value = json.dumps([good, {**good, "id": f"{id}-none", "specversion": "9"}]).encode()
    headers = [_content("application/cloudevents-batch+json")]
    return Bad(b"k", value, headers, "1 of 2 events: $[1].specversion", ids=(f"{id}-cloud",))


def _full(key: bytes, value: bytes, headers: Headers) -> int:
    """How many bytes more such a record may have."""
    return TOPIC_BYTES_MAX - BATCH - DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers)


def _near_the_limit(_id: str, rng: random.Random) -> Bad:
    """It fits its topic, and with our headers would not fit that of the dead; what is no text is for the compressions
    that make more of what is random."""
    value = _random(rng, TOPIC_BYTES_MAX - LOOSE)
    return Bad(b"k", value + b" " * _full(b"k", value, []), [], "the record is not JSON", is_cut=True)


def _below_the_limit(_id: str, rng: random.Random) -> Bad:
    return Bad(b"k", _random(rng, TOPIC_BYTES_MAX - LOOSE), [], "the record is not JSON")


def _large_key(_id: str, rng: random.Random) -> Bad:
    key = _random(rng, TOPIC_BYTES_MAX - LOOSE)
    return Bad(key + b" " * _full(key, b"", []), b"", [], "the record is not JSON", is_cut=True)


def _large_headers(_id: str, rng: random.Random) -> Bad:
    headers = [(f"h{n}", rng.randbytes(1_000)) for n in range(1_030)]
    headers.append(("last", b" " * _full(b"k", b"tiny", [*headers, ("last", b"x" * 10_000)]) + b" " * 10_000))
    return Bad(b"k", b"tiny", headers, "the record is not JSON", is_cut=True)


def _bomb(size: int, reason: str) -> Kind:
    """Small while it is compressed."""
    return lambda _id, _rng: Bad(b"bomb", b"[" + b" " * (size - 2) + b"7", [], reason, is_cut=True)


def _exactly(size: int) -> Callable[[str], bytes]:
    def make(id: str) -> bytes:
        value = plain(id, filler="")
        return value.replace(b'"filler": ""', b'"filler": "' + b"x" * (size - len(value)) + b'"')

    return make


KINDS: dict[str, Kind] = {
    "nothing": _bad(b"", "the record is not JSON"),
    "nothing, without a key": _bad(b"", "the record is not JSON", key=None),
    "a tombstone": _of(lambda _: NULL, "the record has no value"),
    "neither key nor value": _bad(NULL, "the record has no value", key=None),
    "no JSON": _bad(b"<event/>", "the record is not JSON"),
    "JSON that ends too early": _of(lambda id: plain(id)[:-9], "the record is not JSON: it ends too early"),
    "an array that ends too early": _of(lambda id: b"[" + plain(id), "the record is not JSON"),
    "two events": _of(lambda id: plain(id) + plain(id), "the record is not JSON"),
    "UTF-16": _of(lambda id: plain(id).decode().encode("utf-16"), "the record is not JSON"),
    "UTF-8 with a mark": _of(lambda id: b"\xef\xbb\xbf" + plain(id), "the record is not JSON"),
    "Latin-1": _of(lambda id: plain(id)[:-1] + b', "name": "\xe9"}', "$: not UTF-8"),
    "half of a pair": _of(lambda id: plain(id)[:-1] + rb', "name": "\ud83d"}', "surrogate"),
    "bytes": lambda _id, rng: Bad(b"k", _random(rng, 300), [], "the record is not JSON"),
    "deep": _of(lambda id: plain(id)[:-1] + b', "x": ' + b"[" * 65 + b"]" * 65 + b"}", "EVENT_DEPTH_MAX"),
    "very deep": _bad(b'{"id":"a","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "EVENT_DEPTH_MAX"),
    "an abyss": _bad(b"[" * 200_000, "the record is not JSON"),
    "a number": _bad(b"7", "$: expected object"),
    "null": _bad(b"null", "$: expected object"),
    "a text": _bad(b'"event"', "$: expected object"),
    "no id": _bad(b'{"type": "file.created", "data": {"id": 1}}', "$.id: missing"),
    "an empty id": _bad(plain(""), "$.id: expected str of length >= 1"),
    "a long id": _of(lambda id: plain(id + "x" * 200), "EVENT_ID_CHARS_MAX"),
    "a huge id": _of(lambda id: plain(id + "x" * 200_000, data={}), "EVENT_ID_CHARS_MAX"),
    "an id that is a number": _bad(plain(7), "$.id: expected str"),  # type: ignore[arg-type]
    "a type that is none": _of(lambda id: plain(id, type=["file.created"]), "$.type: expected str"),
    "a tenant that is none": _of(lambda id: plain(id, tenant={}), "$.tenant: expected str or null"),
    "a time that is none": _of(lambda id: plain(id, time="yesterday"), "$.time: "),
    "a time before time": _of(lambda id: plain(id, time="0001-01-01T00:00:00Z"), "between 1970 and 9999"),
    "data that is none": _of(lambda id: plain(id, data=[1]), "$.data: expected object"),
    "readers of no kind": _of(lambda id: plain(id, readers=["me"]), "$.readers[0]: expected everyone"),
    "too many readers": _of(lambda id: plain(id, readers=["everyone"] * 1_001), "EVENT_READERS_MAX"),
    "what the plugin refuses": _of(lambda id: plain(id, data={"id": [1]}), "$.data.id: expected int"),
    "too large by a byte": _of(_exactly(EVENT_BYTES_MAX + 1), "EVENT_BYTES_MAX"),
    "too many": _bad(b"[" + b",".join([b"{}"] * 1_001) + b"]", "more than 1000 events in one record"),
    "one of three": _half_good,
    "one CloudEvent of two": _half_good_clouds,
    "a header says XML": _of(plain, "application/xml is none of", _content("application/xml")),
    "a header says UTF-16": _of(plain, "it is in utf-16", _content("application/json; charset=utf-16")),
    "a header says CloudEvent": _of(plain, "specversion", _content("application/cloudevents+json")),
    "a header says batch": _of(plain, "", _content("application/cloudevents-batch+json")),
    "a header says lines": _of(lambda id: plain(id)[:-1] + b"\n}", "$[0]", _content("application/x-ndjson")),
    "a header that is no text": _of(plain, "content-type is not UTF-8", ("content-type", b"\xff")),
    "binary, half of it": _bad(b'{"id": 1}', "the header ce_source is missing", *_ce(source="")),
    "binary, of another version": _bad(b'{"id": 1}', "expected", *_ce(specversion="2")),
    "binary, twice": _bad(b'{"id": 1}', "the header ce_id stands there twice", *_ce(), ("CE_ID", b"b")),
    "binary, no text": _bad(b'{"id": 1}', "the header ce_more is not UTF-8", *_ce(), ("ce_more", b"\xff")),
    "binary, no data": _bad(NULL, "the record has no value", *_ce()),
    "binary, a null": _bad(b'{"id": 1}', "$.id: expected str of length >= 1", *_ce(id=""), ("ce_id", NULL)),
    "binary, of XML": _bad(b"<a/>", "$.data: it is application/xml", *_ce(), _content("application/xml")),
    "a name that is no text": _bad(b"odd", "the record is not JSON", (OddName(b"\xff\xfe"), b"x")),
    "a thousand headers": _bad(b"odd", "the record is not JSON", *[(f"h{n}", b"x") for n in range(1_000)]),
    "headers of ours": _bad(b"odd", "the record is not JSON", ("hookledger-offset", b"7"), ("hookledger-cut", b"1")),
    "just what a topic takes": _below_the_limit,
    "near what a topic takes": _near_the_limit,
    "a large key": _large_key,
    "large headers": _large_headers,
}  # fmt: skip
COMPRESSED: dict[str, Kind] = {
    "a bomb": _bomb(3 * 1024 * 1024, "the record is not JSON"),
    "a bomb beyond what a record may be": _bomb(REQUEST_BYTES_MAX + 1, "REQUEST_BYTES_MAX"),
}
"""Of these a topic takes none that is not compressed."""
RARE = {"just what a topic takes", "near what a topic takes", "a large key", "large headers", *COMPRESSED}
"""A megabyte each, or more once they are read: a few of them are enough."""
RARE_MAX = 4


def bad(count: int, rng: random.Random, *, is_compressed: bool) -> Iterator[tuple[str, Bad]]:
    """So many, each kind at least once where *count* allows it, in no order."""
    kinds = {**KINDS, **(COMPRESSED if is_compressed else {})}
    names = list(kinds)
    often = [name for name in names if name not in RARE]
    rare = [name for name in names if name in RARE for _ in range(min(RARE_MAX, max(count // len(names), 1)))]
    chosen = (rare + often * (count // len(often) + 1))[:count]
    rng.shuffle(chosen)
    for number, name in enumerate(chosen):
        yield name, kinds[name](f"bad{number}", rng)


def good(number: int) -> tuple[bytes | None, bytes, Headers]:
    """An event that must be delivered, in the forms by turns; one is exactly as large as may be."""
    id = f"good{number}"
    match number % 6:
        case 0:
            return id.encode(), plain(id), []
        case 1:
            return None, json.dumps([event(id)]).encode(), []
        case 2:
            return b"k", json.dumps(event(id)["data"]).encode(), _ce(id=id)
        case 3:
            cloud = {"specversion": "1.0", "id": id, "source": "/portals/1", **event(id)}
            return b"k", json.dumps(cloud).encode(), [_content("application/cloudevents+json")]
        case 4:
            return b"k", plain(id) + b"\n", [_content("application/x-ndjson"), (OddName(b"\xfe"), b"x"), ("n", NULL)]
        case _:
            make = _exactly(EVENT_BYTES_MAX) if number == 5 else plain
            return b"k", make(id), [(f"h{n}", b"x") for n in range(100)]
