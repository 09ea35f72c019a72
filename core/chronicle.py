"""Log lines for what was recorded, as it comes out of the ledger, with the ids that let one delivery be followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from logging import DEBUG
from typing import Any

from core.clock import to_iso
from core.directory import Directory
from core.ledger.tail import Segment
from core.ledger.unit import Recorded
from core.log import Log
from core.model import catalogue, delivery, token, webhook
from core.model.portal_event import Received

log = Log("chronicle")

Facts = dict[str, Any]

GONE = 410


class Chronicle:
    """Must hear of a segment after the directory has, and before the outbox forgets what has ended."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.under_way: Callable[[int], tuple[Received, int] | None] = lambda _: None
        """The portal event of a delivery that is under way, by the delivery's number; who carries it knows."""

    def follow(self, segment: Segment, seldom: Sequence[Recorded]) -> None:
        """Say what one commit added; *seldom* is all of it but events, deliveries and successes."""
        if log.is_on(DEBUG):
            self._say_all(segment.events)
        else:
            for recorded in seldom:
                self._say(recorded)

    def _say_all(self, events: Sequence[Recorded]) -> None:
        sources: dict[bytes, Facts] = {}
        for recorded in events:
            event: Any = recorded.event
            match event:
                case Received():
                    of = {"portal_event": recorded.position, "portal_event_id": event.id}
                    sources[recorded.stream] = of
                    facts = {"tenant": event.tenant, "type": event.type, "deliveries": event.deliveries}
                    log.say("event.accepted", way=event.source[0], fault_of_plugin=event.fault, **of, **facts)
                case delivery.Created():
                    of = sources.get(event.event, {"portal_event": None, "portal_event_id": None})
                    ids = {"delivery": recorded.position, "delivery_id": recorded.stream.hex()}
                    log.say("delivery.created", **ids, webhook=event.webhook, **of)
                case delivery.Delivered():
                    log.say("attempt.delivered", **self._attempt(recorded))
                case _:
                    self._say(recorded)

    def _say(self, recorded: Recorded) -> None:
        event: Any = recorded.event
        match event:
            case delivery.AttemptFailed():
                facts = self._attempt(recorded)
                if event.next is None:
                    log.say("delivery.failed", **facts)
                elif event.attempt.status == GONE:
                    # Its next attempt is recorded, and comes only if somebody enables the webhook in this moment.
                    log.say("attempt.gone", **facts)
                else:
                    log.say("attempt.failed", **facts, next=to_iso(event.next))
            case delivery.LateAttempt():
                log.say("attempt.late", **self._attempt(recorded))
            case delivery.Cancelled():
                ids = {"delivery": event.number, "delivery_id": recorded.stream.hex(), "webhook": event.webhook}
                log.say("delivery.cancelled", **ids, reason=event.reason, why=delivery.CANCELLED_BECAUSE[event.reason])
            case catalogue.Changed():
                log.say("plugins.changed", plugins=", ".join(f"{name} {of}" for name, of in event.plugins.items()))
            case token.Created():
                who = {"tenant": event.tenant, "role": event.role, "user": event.user, "by": event.by}
                log.say("token.created", token=recorded.stream.hex(), **who)
            case token.Revoked():
                log.say("token.revoked", token=recorded.stream.hex(), by=event.by)
            case _:
                known = self._directory.webhooks.get(recorded.stream)
                if known is not None:
                    self._say_of_webhook(event, {"webhook": known.number, "tenant": event.tenant, "by": event.by})

    def _say_of_webhook(self, event: Any, facts: Facts) -> None:
        match event:
            case webhook.Created():
                log.say("webhook.created", **facts, name=event.name, owner=event.owner)
            case webhook.Changed():
                log.say("webhook.changed", **facts, fields=", ".join(event.changes))
            case webhook.SecretReset():
                log.say("webhook.secret_reset", **facts)
            case webhook.Enabled():
                log.say("webhook.enabled", **facts)
            case webhook.Disabled():
                why = webhook.DISABLED_BECAUSE[event.reason]
                log.say("webhook.disabled", **facts, reason=event.reason, why=why, cause=event.cause)
            case webhook.Deleted():
                log.say("webhook.deleted", **facts)

    def _attempt(self, recorded: Recorded) -> Facts:
        event: Any = recorded.event
        attempt = event.attempt
        of = self.under_way(event.number)
        return {
            "delivery": event.number,
            "delivery_id": recorded.stream.hex(),
            "webhook": event.webhook,
            "attempt": attempt.number,
            "status": attempt.status,
            "reason": attempt.reason,
            "took_ms": attempt.took,
            "portal_event_id": None if of is None else of[0].id,
        }
