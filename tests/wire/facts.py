"""Recorded facts for the tests of the wire, each with what a test does not care about filled in."""

from __future__ import annotations

from typing import Any

from core.model.delivery import Attempt
from core.model.portal_event import Proof, Received
from core.model.webhook import Webhook
from core.wire.body import WIRE


def received(**given: Any) -> Received:
    """`file.updated` of file 991, accepted at 10:00:05 and of 10:00:00 by the portal's word."""
    fields: dict[str, Any] = {
        "tenant": "1",
        "at": 1795428005000,
        "id": "6d1c2a74-9c7e-4f0e-8f4e-0a3a5e7f1c11",
        "type": "file.updated",
        "trigger": "file.updated",
        "bit": 9,
        "time": 1795428000000,
        "actor": "7d2f4c1e-0b7a-4d39-9c55-3a1f0a6c2b11",
        "target_type": "file",
        "targets": (991,),
        "readers": None,
        "source": ("http", "token"),
        "plugin": "files",
        "plugin_version": "1",
        "fault": None,
        "deliveries": 1,
        "data": Proof(2, b""),
        "payload": Proof(2, b""),
    }
    return Received(**fields | given)


def webhook(**given: Any) -> Webhook:
    """Number 7, `demo`, that wants everything."""
    fields: dict[str, Any] = {
        "id": bytes(16),
        "number": 7,
        "version": 1,
        "tenant": "1",
        "name": "demo",
        "url": "https://example.com/hook",
        "owner": None,
        "triggers": (),
        "target": None,
        "ssl": True,
        "enabled": True,
        "deleted": False,
        "secret": bytes(16),
        "schedule_s": None,
        "created_at": 1,
        "created_by": None,
        "modified_at": None,
        "modified_by": None,
        "enabled_position": 7,
        "enabled_at": 1,
    }
    return Webhook(**fields | given)


def attempt(number: int, started: int, **given: Any) -> Attempt:
    """One that was answered 503."""
    fields: dict[str, Any] = {
        "number": number,
        "started": started,
        "took": 20,
        "webhook_version": 1,
        "secret": bytes(16),
        "wire": WIRE,
        "last_success": None,
        "last_failure": None,
        "body_hash": b"",
        "status": 503,
        "reason": "",
        "headers": (),
        "answer": None,
        "truncated": False,
    }
    return Attempt(**fields | given)
