"""What stands in each record of the topic `webhook.ledger`, by kind. Pure.

Nothing is told but what is named here: no secret, no token, nothing that was sent or answered. docs/asyncapi.json is
made from these.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

from core.model.delivery import CancelReason
from core.model.webhook import DisableReason

Data = TypeVar("Data")
Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339, UTC, to the millisecond at most."""


class LedgerEvent(msgspec.Struct, Generic[Data], frozen=True, omit_defaults=True, gc=False):
    """A CloudEvent. `id` is its position in the ledger. `subject` is a webhook's number, or a delivery's id, which its
    receiver gets as `webhook-id`. `time` is when it was recorded. `actor` is who did it, where a person did."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: Time
    tenant: str
    datacontenttype: Literal["application/json"]
    data: Data
    actor: str | None = None


class Change(msgspec.Struct, frozen=True, rename={"from_": "from"}, gc=False):
    """One field of a webhook, as it was and as it is from here on."""

    from_: Any
    to: Any


class WebhookCreated(msgspec.Struct, frozen=True, gc=False):
    """Somebody made a webhook. `webhook` is its number. `owner` null: the portal itself. No `triggers`: everything.
    `target` null: any entity. `schedule_s`: seconds before each retry; null: the service's own."""

    webhook: int
    version: int
    name: str
    url: str
    owner: str | None
    triggers: tuple[str, ...]
    target: str | None
    ssl: bool
    enabled: bool
    schedule_s: tuple[int, ...] | None


class WebhookChanged(msgspec.Struct, frozen=True, gc=False):
    """Somebody changed fields of a webhook: of name, url, owner, triggers, target, ssl, schedule_s."""

    webhook: int
    version: int
    changes: dict[str, Change]


class WebhookSecretReset(msgspec.Struct, frozen=True, gc=False):
    """From here on requests are signed with another secret."""

    webhook: int
    version: int


class WebhookEnabled(msgspec.Struct, frozen=True, gc=False):
    """The webhook is told of portal events from here on."""

    webhook: int
    version: int


class WebhookDisabled(msgspec.Struct, frozen=True, gc=False):
    """The webhook is told of nothing more. `reason`: a person said so, its receiver answered 410, or it has been
    failing for days; `cause` is the position of what led to that."""

    webhook: int
    version: int
    reason: DisableReason
    cause: int | None


class WebhookDeleted(msgspec.Struct, frozen=True, gc=False):
    """The webhook is gone for good."""

    webhook: int
    version: int


class PortalEventTold(msgspec.Struct, frozen=True, gc=False):
    """A portal event: `number` is its position, `id` and `type` are the portal's own."""

    number: int
    id: str
    type: str


class DeliveryCreated(msgspec.Struct, frozen=True, gc=False):
    """A portal event is on its way to a webhook. `delivery` is its number, which its receiver gets as `event.id`.
    `cause`: the event itself, or somebody asked for it again; `redelivery_of` is the number of the delivery before."""

    webhook: int
    delivery: int
    state: Literal["pending"]
    cause: Literal["event", "redelivery", "replay"]
    redelivery_of: int | None
    event: PortalEventTold


class AttemptTold(msgspec.Struct, frozen=True, gc=False):
    """One request. `took_ms` is how long until its outcome. `status` null: there was no answer; `reason` says why it
    failed, and is empty where it did not. `answer_bytes` is how long the answer's body was, `is_truncated` whether
    there was more of it, or it broke off."""

    number: int
    started_at: Time
    took_ms: int
    webhook_version: int
    status: int | None
    reason: str
    answer_bytes: int
    is_truncated: bool


class DeliveryDelivered(msgspec.Struct, frozen=True, gc=False):
    """Its receiver answered 2xx."""

    webhook: int
    delivery: int
    state: Literal["delivered"]
    attempt: AttemptTold


class DeliveryAttemptFailed(msgspec.Struct, frozen=True, gc=False):
    """An attempt failed. `next_at` is when the next one is due; null: that was the last, the delivery has failed.
    `retry_after_ms` is what the receiver asked for, as used; `is_capped`: it asked for more. `held_until`: until then
    the whole webhook is left alone."""

    webhook: int
    delivery: int
    state: Literal["retrying", "failed"]
    attempt: AttemptTold
    next_at: Time | None
    retry_after_ms: int | None
    is_capped: bool
    held_until: Time | None


class DeliveryLateAttempt(msgspec.Struct, frozen=True, gc=False):
    """A request was made although the delivery had ended, or another was made in its place. It moves nothing."""

    webhook: int
    delivery: int
    attempt: AttemptTold


class DeliveryCancelled(msgspec.Struct, frozen=True, gc=False):
    """Its webhook was disabled or deleted first, or what was to be sent was forgotten."""

    webhook: int
    delivery: int
    state: Literal["cancelled"]
    reason: CancelReason
