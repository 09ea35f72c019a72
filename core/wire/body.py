"""The body of a delivery's request, put together from pieces that are made as seldom as they change."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from core.model.portal_event import Received
from core.model.webhook import Webhook
from core.wire.docspace_json import EMPTY_GUID, encode_whole

WIRE = 1
"""The number of this wire format; what these functions write for the same values never changes under it."""

EVERYTHING = ("*",)
SECONDS_MAX = 1_024
"""Whole seconds of which the text is remembered: what happens at once shares it."""

_PLAIN = re.compile(r"[A-Za-z0-9._-]+")


def render(
    position: int,
    event_head: bytes,
    payload: bytes,
    webhook_block: bytes,
    target_block: bytes,
    retry_block: bytes,
) -> bytes:
    """The whole body. *position* is that of the delivery's Created: the receiver's `event.id`."""
    head = b'{"event":{"id":' + str(position).encode()
    return b"".join((head, event_head, payload, webhook_block, target_block, retry_block, b"}}"))


def event_head(received: Received) -> bytes:
    """`event` after its id, up to the payload; the same for every delivery of a portal event."""
    return event_head_on(received, created_on(received))


def event_head_on(received: Received, created: str) -> bytes:
    """`event_head` for one who knows `created_on` already."""
    actor, bit = received.actor, received.bit
    if actor is not None and bit is not None and _PLAIN.fullmatch(actor) and actor != EMPTY_GUID:
        # As nearly all are: nothing to escape, nothing to leave out.
        return (
            f',"createOn":"{created}","createBy":"{actor}","trigger":"{received.trigger}","triggerId":{1 << bit}'
            '},"payload":'
        ).encode("ascii")
    members: dict[str, Any] = {"createOn": created}
    if received.actor is not None and received.actor != EMPTY_GUID:
        members["createBy"] = received.actor
    if received.trigger is not None:
        members["trigger"] = received.trigger
    if received.bit is not None:
        members["triggerId"] = 1 << received.bit
    return _members(members) + b'},"payload":'


def created_on(received: Received) -> str:
    """When it happened by the portal's word, else when it was accepted; retries and redeliveries keep it."""
    return whole_seconds(received.at if received.time is None else received.time)


def webhook_block(webhook: Webhook) -> bytes:
    """`webhook` up to its triggers; the same for every delivery under one version of the webhook."""
    members = {
        "id": webhook.number,
        "name": webhook.name,
        "url": webhook.url,
        "triggers": webhook.triggers or EVERYTHING,
    }
    return b',"webhook":' + encode_whole(members)[:-1]


def target_block(webhook: Webhook, received: Received) -> bytes:
    """The member `target`, its id typed as the entity's; nothing for a webhook without a target.

    A webhook may have been given another target since the event was matched: then its id is text, as configured.
    """
    if webhook.target is None:
        return b""
    target: dict[str, Any] = {"id": _target_id(webhook.target, received)}
    if received.target_type is not None:
        target["type"] = received.target_type
    return _members({"target": target})


def retry_block(
    number: int,
    started_ms: int,
    last_failure_ms: int | None,
    last_failure_content: str | None,
    last_success_ms: int | None,
) -> bytes:
    """What only a retry tells: nothing for attempt *number* 1. *started_ms* is this attempt's own time,
    *last_failure_ms* the time of the attempt before it; None leaves a member out."""
    if number == 1:
        return b""
    members: dict[str, Any] = {}
    if last_failure_ms is not None:
        members["lastFailureOn"] = whole_seconds(last_failure_ms)
    if last_failure_content is not None:
        members["lastFailureContent"] = last_failure_content
    if last_success_ms is not None:
        members["lastSuccessOn"] = whole_seconds(last_success_ms)
    members["retryCount"] = number - 1
    members["retryOn"] = whole_seconds(started_ms)
    return _members(members)


def body_hash(body: bytes) -> bytes:
    """What an attempt records of its body."""
    return hashlib.sha256(body).digest()


def whole_seconds(at_ms: int) -> str:
    """`2026-11-23T10:00:00Z`; a time outside of the years 1 to 9999 becomes the nearest inside."""
    return _second(at_ms // 1000)


@lru_cache(SECONDS_MAX)
def _second(at_s: int) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat()[:19] + "Z"
    except (ValueError, OverflowError, OSError):
        return "0001-01-01T00:00:00Z" if at_s < 0 else "9999-12-31T23:59:59Z"


def _members(members: dict[str, Any]) -> bytes:
    """As the next members of an object that has some already."""
    return b"," + encode_whole(members)[1:-1]


def _target_id(target: str, received: Received) -> int | str:
    return next((id for id in received.targets if str(id) == target), target)
