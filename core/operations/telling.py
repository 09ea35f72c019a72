"""One delivery as people are told it: the portal event, and each attempt with the bytes that were sent; pure.

Requests are not kept: they are rendered again from what was recorded, and their recorded hash proves them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from core.clock import to_iso
from core.errors import LedgerError
from core.ledger.unit import Body
from core.model.delivery import Attempt, AttemptFailed, Cancelled, Created, Delivered, LateAttempt, Redelivery, State
from core.model.portal_event import Received
from core.model.webhook import Webhook
from core.story import Step, Story
from core.wire.again import headers_again, render_again
from core.wire.body import body_hash

FORGOTTEN = b"null"

Headers = tuple[tuple[str, str], ...]


class EventTold(msgspec.Struct, frozen=True):
    """The portal event; `data` is the event as the portal sent it, null when it was forgotten. `source` is how it came:
    `("http", token id)` or `("kafka", topic, partition, offset)`."""

    number: int
    id: str
    type: str
    trigger: str | None
    source: tuple[str | int, ...]
    happened_at: str | None
    accepted_at: str
    actor: str | None
    target_type: str | None
    targets: tuple[int | str, ...]
    readers: tuple[str, ...] | None
    plugin: str | None
    plugin_version: str | None
    data: msgspec.Raw


class RequestTold(msgspec.Struct, frozen=True):
    """The request as it was sent. `is_proven`: its body has the hash that was recorded when it was."""

    url: str
    headers: Headers
    body: str
    is_proven: bool


class AttemptTold(msgspec.Struct, frozen=True, tag="attempt", tag_field="what"):
    """`waited_ms`: since the attempt before; or since the event was accepted, or the redelivery asked for.
    `request` None: `note` says why. `status` None: there was no answer; `reason` says why it failed. `next_at`: when it
    is due again."""

    number: int
    is_late: bool
    at: str
    waited_ms: int
    took_ms: int
    webhook_version: int
    request: RequestTold | None
    note: str | None
    status: int | None
    reason: str
    headers: Headers
    body: str | None
    is_truncated: bool
    next_at: str | None


class CancelledTold(msgspec.Struct, frozen=True, tag="cancelled", tag_field="what"):
    """Its webhook was disabled or deleted first, or what was to be sent was forgotten."""

    at: str
    reason: str


class RedeliveryTold(msgspec.Struct, frozen=True):
    """A later delivery that somebody asked for, and how that went so far."""

    id: int
    state: str
    created_at: str
    by: str | None


class DeliveryTold(msgspec.Struct, frozen=True):
    """`delivery` is what receivers know it by (`webhook-id`), `id` what people do (`event.id`). `webhook_url` and
    `webhook_state` are as they are now. `why`: the webhook heard of the event. `cause`: event, redelivery or replay;
    `of` is the delivery it is a redelivery of, `by` who asked for it. `next_at` is when the next attempt is due, and
    `due_for_ms` for how long it has been."""

    id: int
    delivery: str
    state: str
    tenant: str
    webhook: int
    webhook_name: str
    webhook_url: str
    webhook_state: str
    cause: str
    of: int | None
    by: str | None
    why: tuple[str, ...]
    created_at: str
    event: EventTold
    steps: tuple[AttemptTold | CancelledTold, ...]
    next_at: str | None
    due_for_ms: int | None
    redeliveries: tuple[RedeliveryTold, ...]


def attempts_of(story: Story) -> list[Attempt]:
    """All attempts of a delivery, in the order they were recorded."""
    return [attempt for step in story.steps if (attempt := attempt_of(step)) is not None]


def attempt_of(step: Step) -> Attempt | None:
    return step.event.attempt if isinstance(step.event, Delivered | AttemptFailed | LateAttempt) else None


def state_of(steps: Sequence[Step]) -> State:
    """Where a delivery is after all that was recorded of it."""
    state: State = "pending"
    for step in steps:
        match step.event:
            case Delivered():
                state = "delivered"
            case Cancelled():
                state = "cancelled"
            case AttemptFailed():
                state = "failed" if step.event.next is None else "retrying"
    return state


def due_of(steps: Sequence[Step]) -> int | None:
    """When its next attempt is due; None: there is none."""
    due: int | None = None
    for step in steps:
        match step.event:
            case Created():
                due = step.event.at
            case AttemptFailed():
                due = step.event.next
            case Delivered() | Cancelled():
                due = None
    return due


class Teller:
    """Tells a story as it is at *now_ms*. *versions* are the webhook's, by version; *secrets* are opened, by id."""

    def __init__(
        self,
        story: Story,
        versions: Mapping[int, Webhook],
        secrets: Mapping[bytes, str],
        why: tuple[str, ...],
        redeliveries: Sequence[RedeliveryTold],
        now_ms: int,
    ) -> None:
        self._story, self._versions, self._secrets = story, versions, secrets
        self._why, self._redeliveries, self._now_ms = why, tuple(redeliveries), now_ms
        assert isinstance(story.received.event, Received)
        self._received = story.received.event
        self._attempts = attempts_of(story)

    def tell(self) -> DeliveryTold:
        created = self._story.steps[0].event
        assert isinstance(created, Created)
        cause, webhook = created.cause, self._versions[max(self._versions)]
        steps: list[AttemptTold | CancelledTold] = []
        before = self._received.at if cause is None else created.at
        for step in self._story.steps:
            attempt = attempt_of(step)
            if attempt is not None:
                steps.append(self._attempt(step, attempt, before))
                before = attempt.started + attempt.took
            elif isinstance(step.event, Cancelled):
                steps.append(CancelledTold(to_iso(step.event.at), step.event.reason))
        due = due_of(self._story.steps)
        return DeliveryTold(
            id=self._story.number,
            delivery=self._story.delivery.hex(),
            state=state_of(self._story.steps),
            tenant=created.tenant,
            webhook=created.webhook,
            webhook_name=webhook.name,
            webhook_url=webhook.url,
            webhook_state="deleted" if webhook.deleted else "enabled" if webhook.enabled else "disabled",
            cause="event" if cause is None else type(cause).__name__.lower(),
            of=cause.of if isinstance(cause, Redelivery) else None,
            by=None if cause is None else cause.by,
            why=self._why,
            created_at=to_iso(created.at),
            event=self._event(),
            steps=tuple(steps),
            next_at=None if due is None else to_iso(due),
            due_for_ms=None if due is None or due > self._now_ms else self._now_ms - due,
            redeliveries=self._redeliveries,
        )

    def _event(self) -> EventTold:
        received, body = self._received, self._story.received.body
        return EventTold(
            number=self._story.received.position,
            id=received.id,
            type=received.type,
            trigger=received.trigger,
            source=received.source,
            happened_at=None if received.time is None else to_iso(received.time),
            accepted_at=to_iso(received.at),
            actor=received.actor,
            target_type=received.target_type,
            targets=received.targets,
            readers=received.readers,
            plugin=received.plugin,
            plugin_version=received.plugin_version,
            data=msgspec.Raw(FORGOTTEN if body is None else body.data),
        )

    def _attempt(self, step: Step, attempt: Attempt, before_ms: int) -> AttemptTold:
        request, note = self._request(attempt)
        following = step.event.next if isinstance(step.event, AttemptFailed) else None
        return AttemptTold(
            number=attempt.number,
            is_late=isinstance(step.event, LateAttempt),
            at=to_iso(attempt.started),
            waited_ms=max(attempt.started - before_ms, 0),
            took_ms=attempt.took,
            webhook_version=attempt.webhook_version,
            request=request,
            note=note,
            status=attempt.status,
            reason=attempt.reason,
            headers=attempt.headers,
            body=_text(step.body),
            is_truncated=attempt.truncated,
            next_at=None if following is None else to_iso(following),
        )

    def _request(self, attempt: Attempt) -> tuple[RequestTold | None, str | None]:
        payload = None if self._story.received.body is None else self._story.received.body.payload
        if attempt.body_hash == body_hash(b""):
            return None, "no request could be made"
        if payload is None:
            return None, "its payload was forgotten"
        number, webhook = self._story.number, self._versions[attempt.webhook_version]
        try:
            body = render_again(number, self._received, payload, webhook, self._attempts, attempt)
        except LedgerError as error:
            return None, str(error)
        secret = self._secrets.get(attempt.secret)
        headers: Headers = ()
        note = None
        if secret is None:
            note = "its secret was forgotten, so its signatures cannot be shown"
        else:
            headers = tuple(headers_again(self._story.delivery, number, self._received, attempt, body, secret))
        return RequestTold(webhook.url, headers, body.decode(), body_hash(body) == attempt.body_hash), note


def _text(body: Body | None) -> str | None:
    return None if body is None else body.data.decode("utf-8", "replace")
