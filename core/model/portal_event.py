"""The aggregate PortalEvent: one fact from the portal, recorded once, with what the plugin made of it."""

from __future__ import annotations

import msgspec

from core.model.event import Event


class Proof(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What stays when a body is forgotten: its length in bytes and SHA-256(salt + body); the salt goes with it."""

    length: int
    hash: bytes


class Received(Event):
    """`id` and `type` are the portal's; `at` is when it was accepted, `time` when it happened (the portal's word).

    `trigger` and `bit` None: no plugin knows the type. `targets`: the entity's ids, typed as on the wire.
    `readers`: the event's, else the plugin's; None: no answer. `source`: `("http", token id)`,
    `("operator",)` or `("kafka", topic, partition, offset)`. `fault`: what the plugin raised, if it did.
    `deliveries`: how many were created with it. `data` is the event as sent, `payload` what receivers get of it.
    `traceparent`: the trace it belongs to, as attempts go on from it (core/wire/trace.py).
    """

    id: str
    type: str
    trigger: str | None
    bit: int | None
    time: int | None
    actor: str | None
    target_type: str | None
    targets: tuple[int | str, ...]
    readers: tuple[str, ...] | None
    source: tuple[str | int, ...]
    plugin: str | None
    plugin_version: str | None
    fault: str | None
    deliveries: int
    data: Proof
    payload: Proof | None
    traceparent: str | None = None
