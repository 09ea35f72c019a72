"""What one caller appends, all or nothing, and what it is answered."""

from __future__ import annotations

from hashlib import blake2b, sha256
from typing import NamedTuple

import msgspec

from core.model.event import Event


class Claim(NamedTuple):
    """A name that only one stream can ever have: `scope` says whose and what (`event:1`), `key` is the name."""

    scope: str
    key: str


def key_of(claim: Claim, ledger_id: bytes) -> bytes:
    """16 bytes that stand for a claim; keyed by the ledger, so that nobody can look for two that look alike."""
    name = f"{len(claim.scope)}:{claim.scope}{claim.key}"
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16, key=ledger_id).digest()


class Condition(NamedTuple):
    """The directory the unit was decided on: of which tenant, in which version, read by which catalogue."""

    tenant: str
    directory: bytes
    catalogue: bytes


class Entry(NamedTuple):
    """An event with the stream it goes to and the version it must get there (1 is the stream's first)."""

    stream: bytes
    version: int
    event: Event


class Body(NamedTuple):
    """Bytes that stand beside one event and can be forgotten without it: what the portal sent and the payload made
    of it, or (`data`) a receiver's answer. `entry` is the event's index in its unit. Their proofs share the salt."""

    entry: int
    salt: bytes
    data: bytes
    payload: bytes | None = None


class Sealed(NamedTuple):
    """A webhook's secret under the master key."""

    id: bytes
    webhook: bytes
    sealed: bytes


class Unit(msgspec.Struct, gc=False):
    """Events of one caller, appended all or none, with what must hold and what stands beside them."""

    entries: list[Entry]
    claim: Claim | None = None
    condition: Condition | None = None
    bodies: tuple[Body, ...] = ()
    secrets: tuple[Sealed, ...] = ()


class Duplicate(msgspec.Struct, frozen=True):
    """The claim is taken, by the unit whose first event stands at this position."""

    position: int


class StaleStream(msgspec.Struct, frozen=True):
    """A stream is at another version than the unit counts on."""

    stream: bytes
    version: int


class StaleDirectory(msgspec.Struct, frozen=True):
    """The directory, or the catalogue, is not the one the unit was decided on."""

    tenant: str


class Unwritable(msgspec.Struct, frozen=True):
    """What it holds cannot be stored: whoever made the unit should not have, and is told what is wrong with it."""

    reason: str


Answer = int | Duplicate | StaleStream | StaleDirectory | Unwritable
"""The position of the unit's first event (the others follow without a gap), or why it was refused."""


class Recorded(NamedTuple):
    """An event in the ledger."""

    position: int
    stream: bytes
    version: int
    event: Event


class Appended(NamedTuple):
    """What a commit did: positions `previous + 1` to `last` are new, an answer for each unit, and when."""

    previous: int
    last: int
    answers: list[Answer]
    at: int
    missed: tuple[Recorded, ...] = ()
    """What moves a directory and was recorded up to `previous` by others, since this process wrote or looked last."""
    bodies: dict[int, Body] | None = None
    """None: `missed` is no more than that. Else it is all that others recorded, and these are payloads beside it."""


ZERO_VERSION = bytes(16)
"""A directory, or catalogue, that nothing has happened to."""

CATALOGUE = ""
"""The tenant under which the catalogue's version is kept."""


def chain(version: bytes, stream: bytes, stream_version: int, event: Event) -> bytes:
    """The directory version after one more event: two histories never look alike.

    Nor do one that happened and one that was only expected: two units may both want to give a stream its next
    version, and what was decided on the one must not pass for decided on the other. What led to them tells them apart.
    """
    # Not a keyed or a shorter hash: PostgreSQL must be able to do the same.
    return sha256(version + stream + stream_version.to_bytes(8, "big") + told_by(event)).digest()[:16]


def told_by(event: Event) -> bytes:
    """The stream of what led to an event; empty where it names none."""
    cause = getattr(event, "cause", None)
    return cause if type(cause) is bytes else b""
