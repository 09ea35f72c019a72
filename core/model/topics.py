"""Names and versions of all recorded events: the only place that ties a stored topic to a class.

A topic is `Aggregate.Event/version`. A class may move or be renamed, its topic stays. When a shape changes, the new
class takes the next version and the old one an upcaster to it; stored events stay readable for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from core.errors import LedgerError
from core.model import catalogue, clock, command, delivery, group, person, portal_event, token, webhook
from core.model.event import Event

TOPICS: dict[str, type[Event]] = {
    "Webhook.Created/1": webhook.Created,
    "Webhook.Changed/1": webhook.Changed,
    "Webhook.SecretReset/1": webhook.SecretReset,
    "Webhook.Enabled/1": webhook.Enabled,
    "Webhook.Disabled/1": webhook.Disabled,
    "Webhook.Deleted/1": webhook.Deleted,
    "PortalEvent.Received/1": portal_event.Received,
    "Person.Set/1": person.Set,
    "Person.Removed/1": person.Removed,
    "Group.Set/1": group.Set,
    "Group.Removed/1": group.Removed,
    "Delivery.Created/1": delivery.Created,
    "Delivery.AttemptFailed/1": delivery.AttemptFailed,
    "Delivery.Delivered/1": delivery.Delivered,
    "Delivery.LateAttempt/1": delivery.LateAttempt,
    "Delivery.Cancelled/1": delivery.Cancelled,
    "Token.Created/1": token.Created,
    "Token.Revoked/1": token.Revoked,
    "Catalogue.Changed/1": catalogue.Changed,
    "Command.Done/1": command.Done,
    "Clock.Stepped/1": clock.Stepped,
}
"""Every current topic, and the class it is read as."""

_NOT_SUCH_A_STATE = (msgspec.MsgspecError, ValueError, TypeError, LookupError, OverflowError, RecursionError)
"""What reading bytes that we did not write may raise, upcasters included."""

Upcaster = Callable[[list[Any]], list[Any]]
UPCASTERS: dict[str, tuple[str, Upcaster]] = {}
"""Old topic → (the next version's topic, how its array becomes the next one's). Chains are followed."""

DIRECTORY_EVENTS: frozenset[type[Event]] = frozenset(
    {
        webhook.Created,
        webhook.Changed,
        webhook.SecretReset,
        webhook.Enabled,
        webhook.Disabled,
        webhook.Deleted,
        person.Set,
        person.Removed,
        group.Set,
        group.Removed,
    }
)
"""What moves a tenant's directory version."""

LANDMARKS: frozenset[type[Event]] = DIRECTORY_EVENTS | {token.Created, token.Revoked, catalogue.Changed}
"""What a start must read; the ledger keeps their positions apart, so that it never scans the rest."""


class Codec:
    """Recorded events to stored (topic, state) and back; upcasts what is older than its class."""

    def __init__(
        self,
        topics: dict[str, type[Event]] | None = None,
        upcasters: dict[str, tuple[str, Upcaster]] | None = None,
    ) -> None:
        topics = TOPICS if topics is None else topics
        self._topics = {cls: topic for topic, cls in topics.items()}
        self._upcasters = UPCASTERS if upcasters is None else upcasters
        self._decoders: dict[str, Callable[[bytes], Event]] = {
            topic: msgspec.msgpack.Decoder(cls).decode for topic, cls in topics.items()
        }
        self._encode = msgspec.msgpack.Encoder().encode

    def topic(self, event: Event) -> str:
        return self._topics[type(event)]

    def encode(self, event: Event) -> tuple[str, bytes]:
        return self._topics[type(event)], self._encode(event)

    def decode(self, topic: str, state: bytes) -> Event:
        """The event as today's class; LedgerError when its topic is unknown, or its state is not one of that topic."""
        decode = self._decoders.get(topic)
        try:
            return self._upcast(topic, state) if decode is None else decode(state)
        except _NOT_SUCH_A_STATE as error:
            raise LedgerError(f"the ledger is damaged: a state of {topic!r} cannot be read ({error})") from None

    def _upcast(self, topic: str, state: bytes) -> Event:
        if topic not in self._upcasters:
            raise LedgerError(
                f"the ledger holds an event {topic!r} that this version does not know: start the version that wrote it"
            )
        value = msgspec.msgpack.decode(state)
        while topic in self._upcasters:
            topic, upcast = self._upcasters[topic]
            value = upcast(value)
        return self._decoders[topic](self._encode(value))
