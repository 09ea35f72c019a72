"""The aggregate Delivery: one portal event on its way to one webhook; its stream is short and ends.

pending ──▶ delivered                      Delivered
   │
   └──▶ retrying ──▶ delivered | failed    AttemptFailed: with a next attempt, or the last
   └──▶ cancelled                          Cancelled: its webhook was disabled or deleted, or its payload forgotten
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from core.model.event import Event
from core.model.portal_event import Proof

State = Literal["pending", "retrying", "delivered", "failed", "cancelled"]
CancelReason = Literal["disabled", "deleted", "forgotten"]

CANCELLED_BECAUSE: Mapping[str, str] = {
    "disabled": "its webhook was disabled",
    "deleted": "its webhook was deleted",
    "forgotten": "what was to be sent was forgotten",
}
"""In words."""


class Redelivery(msgspec.Struct, frozen=True, array_like=True, tag="redelivery"):
    """A person asked for it: `of` is the position of the old delivery's Created."""

    of: int
    by: str | None


class Replay(msgspec.Struct, frozen=True, array_like=True, tag="replay"):
    """A person asked for a stretch of the ledger again."""

    by: str | None


class Created(Event):
    """`webhook` is its number, `event` the stream of the portal event. `cause` None: the event itself.
    The position of this recorded event is the delivery's number, and the `event.id` that receivers get."""

    webhook: int
    event: bytes
    cause: Redelivery | Replay | None = None


class Attempt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One HTTP request and what became of it; enough to render its bytes again.

    `started` is the time it was signed with (milliseconds), `took` how long until its outcome. `last_success`,
    `last_failure` are the values its body took from elsewhere (milliseconds; only retries carry them).
    `wire` is the number of the wire format. `body_hash` is SHA-256 of the request's body. `status` None: no answer.
    `reason` says in words why it failed; empty for a 2xx. `headers` are the answer's, redacted. `answer` is the
    proof of the answer's body; None: it had none. `truncated`: there was more of it, or it broke off. `traced`: the
    trace that the receiver was told of goes on from a span of this attempt, not from the event's own context.
    """

    number: int
    started: int
    took: int
    webhook_version: int
    secret: bytes
    wire: int
    last_success: int | None
    last_failure: int | None
    body_hash: bytes
    status: int | None
    reason: str
    headers: tuple[tuple[str, str], ...]
    answer: Proof | None
    truncated: bool
    traced: bool = False


class Outcome(Event):
    """What ends or moves a delivery says whose it is: the webhook's number, and the delivery's."""

    webhook: int
    number: int


class Delivered(Outcome):
    """A receiver answered 2xx."""

    attempt: Attempt


class AttemptFailed(Outcome):
    """`next` is when it is due again (milliseconds); None: that was the last attempt, the delivery has failed.
    `retry_after` is what the receiver asked for (milliseconds from its answer), as used; `capped`: it asked for more.
    `holds`: until when the whole webhook is held back (429 and 503)."""

    attempt: Attempt
    next: int | None
    retry_after: int | None = None
    capped: bool = False
    holds: int | None = None


class LateAttempt(Outcome):
    """A request that was made although the delivery had ended, or its attempt number was taken."""

    attempt: Attempt


class Cancelled(Outcome):
    """Before it could be delivered, its webhook was disabled or deleted, or what was to be sent was forgotten."""

    reason: CancelReason


DeliveryEvent = Created | Delivered | AttemptFailed | LateAttempt | Cancelled
