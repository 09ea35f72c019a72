"""One recorded event of each kind, and by the rules what is told of it; written by hand, with no word of the code."""

from __future__ import annotations

from core.ledger.unit import Recorded
from core.model import delivery, webhook
from core.model.portal_event import Proof, Received

AT = 1_795_000_000_250
ISO = "2026-11-18T11:06:40.250Z"
HOOK, EVENT, PARCEL = b"\x01" * 16, b"\x02" * 16, b"\xab" * 16
NUMBER = 7
RECEIVED = Recorded(
    40,
    EVENT,
    1,
    Received(
        "acme", AT, "their-id", "file.updated", None, None, None, None, None, (), None, ("operator",), None, None, None,
        1, Proof(3, b"\x03" * 32), None,
    ),
)  # fmt: skip

ATTEMPT = delivery.Attempt(
    2, AT, 31, 4, b"\x04" * 16, 1, None, None, b"\x05" * 32, 503, "answered 503", (("X-Said", "in a header"),),
    Proof(12, b"\x06" * 32), True,
)  # fmt: skip
ATTEMPT_TOLD = {
    "number": 2,
    "started_at": ISO,
    "took_ms": 31,
    "webhook_version": 4,
    "status": 503,
    "reason": "answered 503",
    "answer_bytes": 12,
    "is_truncated": True,
}
THEIRS = {"webhook": NUMBER, "delivery": 50}


def hook(event, version=3, position=99):
    return Recorded(position, HOOK, version, event)


def parcel(event, position=99):
    return Recorded(position, PARCEL, 2, event)


def of_hook(type, data, actor=None):
    """What is told of a webhook."""
    return _told(f"hookledger.webhook.{type}", "7", {"webhook": NUMBER, "version": 3} | data, actor)


def of_parcel(type, data, actor=None):
    """What is told of a delivery."""
    return _told(f"hookledger.delivery.{type}", "ab" * 16, THEIRS | data, actor)


def _told(type, subject, data, actor):
    told = {
        "specversion": "1.0",
        "id": "99",
        "source": "/hookledger/tenants/acme",
        "type": type,
        "subject": subject,
        "time": ISO,
        "tenant": "acme",
        "datacontenttype": "application/json",
        "data": data,
    }
    return told if actor is None else told | {"actor": actor}


ABOUT = {"number": 40, "id": "their-id", "type": "file.updated"}
CREATED = webhook.Created(
    "acme", AT, "ann", "news", "http://h/", "ann", ("a.b", "c.d"), "9", True, False, b"\x07" * 16, (5, 60)
)

EXPECTED = [
    (
        hook(CREATED, position=NUMBER),
        of_hook(
            "created",
            {
                "name": "news",
                "url": "http://h/",
                "owner": "ann",
                "triggers": ["a.b", "c.d"],
                "target": "9",
                "ssl": True,
                "enabled": False,
                "schedule_s": [5, 60],
            },
            "ann",
        )
        | {"id": "7"},
    ),
    (
        hook(webhook.Changed("acme", AT, "ann", {"url": ("http://h/", "http://i/"), "triggers": ((), ("a.b",))})),
        of_hook(
            "changed",
            {"changes": {"url": {"from": "http://h/", "to": "http://i/"}, "triggers": {"from": [], "to": ["a.b"]}}},
            "ann",
        ),
    ),
    (hook(webhook.SecretReset("acme", AT, "ann", b"\x08" * 16)), of_hook("secret_reset", {}, "ann")),
    (hook(webhook.Enabled("acme", AT, None)), of_hook("enabled", {})),
    (hook(webhook.Disabled("acme", AT, None, "gone", 55)), of_hook("disabled", {"reason": "gone", "cause": 55})),
    (hook(webhook.Deleted("acme", AT, "operator")), of_hook("deleted", {}, "operator")),
    (
        parcel(delivery.Created("acme", AT, NUMBER, EVENT), position=50),
        of_parcel("created", {"state": "pending", "cause": "event", "redelivery_of": None, "event": ABOUT})
        | {"id": "50"},
    ),
    (
        parcel(delivery.Created("acme", AT, NUMBER, EVENT, delivery.Redelivery(45, "ann")), position=50),
        of_parcel("created", {"state": "pending", "cause": "redelivery", "redelivery_of": 45, "event": ABOUT}, "ann")
        | {"id": "50"},
    ),
    (
        parcel(delivery.Created("acme", AT, NUMBER, EVENT, delivery.Replay("ann")), position=50),
        of_parcel("created", {"state": "pending", "cause": "replay", "redelivery_of": None, "event": ABOUT}, "ann")
        | {"id": "50"},
    ),
    (
        parcel(delivery.Delivered("acme", AT, NUMBER, 50, ATTEMPT)),
        of_parcel("delivered", {"state": "delivered", "attempt": ATTEMPT_TOLD}),
    ),
    (
        parcel(delivery.AttemptFailed("acme", AT, NUMBER, 50, ATTEMPT, AT, 5_000, True, AT)),
        of_parcel(
            "attempt_failed",
            {
                "state": "retrying",
                "attempt": ATTEMPT_TOLD,
                "next_at": ISO,
                "retry_after_ms": 5_000,
                "is_capped": True,
                "held_until": ISO,
            },
        ),
    ),
    (
        parcel(delivery.AttemptFailed("acme", AT, NUMBER, 50, ATTEMPT, None)),
        of_parcel(
            "attempt_failed",
            {
                "state": "failed",
                "attempt": ATTEMPT_TOLD,
                "next_at": None,
                "retry_after_ms": None,
                "is_capped": False,
                "held_until": None,
            },
        ),
    ),
    (
        parcel(delivery.LateAttempt("acme", AT, NUMBER, 50, ATTEMPT)),
        of_parcel("late_attempt", {"attempt": ATTEMPT_TOLD}),
    ),
    (
        parcel(delivery.Cancelled("acme", AT, NUMBER, 50, "forgotten")),
        of_parcel("cancelled", {"state": "cancelled", "reason": "forgotten"}),
    ),
]
"""A recorded event, and its record."""
