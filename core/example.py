"""What a trigger looks like: a portal event of its kind, what a receiver gets of it, and schemas of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from genson import SchemaBuilder  # type: ignore[import-untyped]

from core.catalogue import RegisteredTrigger
from core.clock import to_iso
from core.composer import Composed, Composer, Random
from core.directory import Directory
from core.errors import NotFoundError, PluginError
from core.incoming import Rejected, checked
from core.model.webhook import Webhook
from core.plugins import Plugins, Spoiled
from core.trigger import Reading
from core.wire.body import event_head, render, target_block, webhook_block

DIALECT = "https://json-schema.org/draft/2020-12/schema"
POSITION = 1041
"""The delivery's, in the example."""


def event_of(registered: RegisteredTrigger, id: str, now_ms: int) -> dict[str, Any]:
    """The plugin's first sample, with an id and a time of its own, so that it is no duplicate of the one before."""
    trigger = registered.trigger
    if not trigger.samples:
        raise NotFoundError(f"the plugin {registered.plugin!r} gives no sample of {trigger.name}")
    return {**trigger.samples[0], "id": id, "time": to_iso(now_ms)}


def body_of(plugins: Plugins, event: Mapping[str, Any], now_ms: int, random: Random) -> bytes:
    """What the receiver of a webhook gets of an event, byte for byte; PluginError when its plugin cannot read it."""
    composed = _composed(plugins, event, now_ms, random)
    received = composed.received
    payload = composed.unit.bodies[0].payload
    if payload is None:
        raise PluginError(f"plugin {received.plugin!r}: its sample of {received.type} cannot be read: {received.fault}")
    webhook = _webhook(now_ms)
    return render(POSITION, event_head(received), payload, webhook_block(webhook), target_block(webhook, received), b"")


def schemas_of(plugins: Plugins, registered: RegisteredTrigger, now_ms: int, random: Random) -> dict[str, Any]:
    """JSON Schemas of `data`, which a portal sends, and of `payload`, which a receiver gets: as the plugin declares
    them, else derived from its samples and marked so."""
    trigger = registered.trigger
    data, payload = trigger.data_schema, trigger.payload_schema
    if data is None:
        data = _derived(msgspec.json.decode(_encoded(sample)).get("data") for sample in trigger.samples)
    if payload is None:
        bodies = [body_of(plugins, sample, now_ms, random) for sample in trigger.samples]
        payload = _derived(msgspec.json.decode(body)["payload"] for body in bodies)
    told: dict[str, Any] = {
        "trigger": trigger.name,
        "data": {"$schema": DIALECT, **data},
        "payload": {"$schema": DIALECT, **payload},
    }
    try:
        msgspec.json.encode(told)
    except (TypeError, ValueError) as error:
        raise PluginError(f"plugin {registered.plugin!r}: a schema of {trigger.name} is not JSON: {error}") from None
    return told


def _composed(plugins: Plugins, event: Mapping[str, Any], now_ms: int, random: Random) -> Composed:
    portal = checked(_encoded(event), "1", "$")
    if isinstance(portal, Rejected):
        raise PluginError(f"a sample of {event.get('type')} is no portal event: {portal.error}")
    directory, portal_event = Directory(), portal.as_portal_event(now_ms)
    (reading,) = plugins.read([portal_event], directory.tenant("1").people)
    if not isinstance(reading, Reading | Spoiled):
        raise PluginError(f"plugin {plugins.triggers[portal.type].plugin!r} does not read its sample: {reading}")
    unit = Composer(directory, plugins, random, "1", ("example",), now_ms).unit(0, portal, portal_event, reading)
    assert unit is not None, "nobody hung"
    return unit


def _encoded(event: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(event)
    except (TypeError, ValueError) as error:
        raise PluginError(f"a sample of {event.get('type')} is not JSON: {error}") from None


def _webhook(now_ms: int) -> Webhook:
    """One that hears everything."""
    return Webhook(
        id=bytes(16),
        number=1,
        version=1,
        tenant="1",
        name="example",
        url="https://example.com/hook",
        owner=None,
        triggers=(),
        target=None,
        ssl=True,
        enabled=True,
        deleted=False,
        secret=bytes(16),
        schedule_s=None,
        created_at=now_ms,
        created_by=None,
        modified_at=None,
        modified_by=None,
        enabled_position=1,
        enabled_at=now_ms,
    )


def _derived(values: Iterable[Any]) -> dict[str, Any]:
    builder = SchemaBuilder(schema_uri=None)
    count = 0
    for value in values:
        builder.add_object(value)
        count += 1
    if not count:
        return {"$comment": "the plugin declares no schema and gives no samples: anything may come"}
    schema = _without_required(builder.to_schema())
    samples = "1 sample" if count == 1 else f"{count} samples"
    return {"$comment": f"derived from {samples}, because the plugin declares no schema: others may differ", **schema}


def _without_required(schema: Any) -> Any:
    """What all samples have is still not needed."""
    if isinstance(schema, list):
        return [_without_required(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {member: _without_required(one) for member, one in value.items()}
        if name == "properties"
        else _without_required(value)
        for name, value in schema.items()
        if name != "required"
    }
