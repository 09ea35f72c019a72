"""The commands on webhooks: what people, and the outbox's reactions, may ask to be changed.

Each holds the matcher while it commits, so that no event is matched against a guess of who listens, and every event
accepted after a command was answered hears of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from core.check_url import CheckUrl
from core.clock import Clock
from core.directory import Directory
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.intake import Intake
from core.ledger.keys import NONCE_BYTES, MasterKey
from core.ledger.unit import Entry, Sealed, Unit
from core.ledger.writer import Writer
from core.limits import WEBHOOKS_AT_ONCE_MAX
from core.model import webhook
from core.model.webhook import Webhook
from core.once import Asked, append
from core.plugins import Plugins
from core.webhook_fields import FieldRules, Fields, check_tenant
from core.wire import signature


class Shown(msgspec.Struct, frozen=True):
    """A secret that was just set, as it is shown this once: for verifiers, and itself where we made it."""

    verifier: str
    secret: str | None


class Made(Shown, frozen=True):
    """A webhook that was just created, with what is shown only once."""

    webhook: Webhook


class Changed(msgspec.Struct, frozen=True):
    """What became of a webhook: field → (from, to), and its new secret where it has one."""

    webhook: Webhook
    changes: dict[str, tuple[Any, Any]]
    shown: Shown | None


class Webhooks:
    """Creates, changes, switches, deletes; finds."""

    def __init__(
        self,
        directory: Directory,
        plugins: Plugins,
        intake: Intake,
        writer: Writer,
        master_key: MasterKey,
        clock: Clock,
        random: Callable[[int], bytes],
        check_url: CheckUrl,
    ) -> None:
        self._directory, self._intake, self._writer = directory, intake, writer
        self._master_key, self._clock, self._random = master_key, clock, random
        self._rules = FieldRules(plugins, check_url)

    async def create(
        self,
        *,
        tenant: str,
        name: str,
        url: str,
        triggers: Sequence[str] = (),
        target: str | None = None,
        owner: str | None = None,
        secret: str | None = None,
        ssl: bool = True,
        enabled: bool = True,
        schedule_s: Sequence[int] | None = None,
        by: str | None,
        asked: Asked | None = None,
    ) -> Made:
        """Record a webhook. Without *owner* it belongs to the portal itself; without *secret* we make one."""
        check_tenant(tenant)
        said = self._rules.said(
            Fields(
                name=name,
                url=url,
                owner=owner,
                triggers=tuple(triggers),
                target=target,
                ssl=ssl,
                schedule_s=None if schedule_s is None else tuple(schedule_s),
            )
        )
        self._rules.url(url, ssl)
        stream = self._new_id()
        sealed, shown = self._sealed(stream, secret)
        created = webhook.Created(tenant, self._clock.now_ms(), by, **said, enabled=enabled, secret=sealed.id)
        async with self._intake.held():
            await self._append([Entry(stream, 1, created)], asked, (sealed,))
        return Made(shown.verifier, shown.secret, self._directory.webhooks[stream])

    async def change(
        self,
        number: int,
        fields: Fields,
        *,
        secret: str | UnsetType | None = UNSET,
        by: str | None,
        asked: Asked | None = None,
    ) -> Changed:
        """Set some of a webhook's fields, or its secret (None: we make one); what is so already is not recorded."""
        async with self._intake.held():
            known = self.get(number)
            changes = self._rules.changes(known, fields)
            now = self._clock.now_ms()
            events: list[webhook.WebhookEvent] = []
            if changes:
                events.append(webhook.Changed(known.tenant, now, by, changes))
            secrets: tuple[Sealed, ...] = ()
            shown = None
            if secret is not UNSET:
                sealed, shown = self._sealed(known.id, secret)
                secrets = (sealed,)
                events.append(webhook.SecretReset(known.tenant, now, by, sealed.id))
            if events:
                entries = [Entry(known.id, known.version + place, event) for place, event in enumerate(events, 1)]
                await self._append(entries, asked, secrets)
        return Changed(self._directory.webhooks[known.id], changes, shown)

    async def disable_for(self, number: int, reason: Literal["gone", "failing"], cause: int) -> None:
        """Disable a webhook because of what stands at position *cause*, unless it was enabled since then."""
        async with self._intake.held():
            known = self.get(number)
            if not known.enabled or cause <= known.enabled_position:
                return
            event = webhook.Disabled(known.tenant, self._clock.now_ms(), None, reason, cause)
            await self._append([Entry(known.id, known.version + 1, event)])

    async def switch(self, *numbers: int, enabled: bool, by: str | None, asked: Asked | None = None) -> list[Webhook]:
        """Enable or disable webhooks, all or none; those that were not so already, as they were before."""

        def event(known: Webhook, now: int) -> webhook.WebhookEvent:
            if enabled:
                return webhook.Enabled(known.tenant, now, by)
            return webhook.Disabled(known.tenant, now, by, "person")

        return await self._each(numbers, lambda known: known.enabled != enabled, event, asked)

    async def delete(self, *numbers: int, by: str | None, asked: Asked | None = None) -> list[Webhook]:
        """Delete webhooks, all or none, and answer with what they were; their history stays."""

        def event(known: Webhook, now: int) -> webhook.WebhookEvent:
            return webhook.Deleted(known.tenant, now, by)

        return await self._each(numbers, lambda _: True, event, asked)

    async def _each(
        self,
        numbers: Sequence[int],
        is_wanted: Callable[[Webhook], bool],
        event: Callable[[Webhook, int], webhook.WebhookEvent],
        asked: Asked | None,
    ) -> list[Webhook]:
        """Record one event for each webhook that wants it, in one unit."""
        if len(numbers) > WEBHOOKS_AT_ONCE_MAX:
            raise InvalidInputError(f"more than {WEBHOOKS_AT_ONCE_MAX} webhooks", limit="WEBHOOKS_AT_ONCE_MAX")
        async with self._intake.held():
            found = [known for known in map(self.get, dict.fromkeys(numbers)) if is_wanted(known)]
            if found:
                now = self._clock.now_ms()
                await self._append([Entry(known.id, known.version + 1, event(known, now)) for known in found], asked)
        return found

    def get(self, number: int) -> Webhook:
        """The webhook people call by this number; NotFoundError when there is none, or it was deleted."""
        known = self._directory.by_number.get(number)
        if known is None or known.deleted:
            raise NotFoundError(f"there is no webhook {number}")
        return known

    def all(self, tenant: str | None = None) -> list[Webhook]:
        """All webhooks that were not deleted, of one tenant or of all, by number."""
        return [
            known
            for number, known in sorted(self._directory.by_number.items())
            if not known.deleted and tenant in (None, known.tenant)
        ]

    def _new_id(self) -> bytes:
        return self._clock.now_ms().to_bytes(6, "big") + self._random(10)

    def _sealed(self, stream: bytes, secret: str | None) -> tuple[Sealed, Shown]:
        """A secret for this webhook, one of ours when there is none, sealed and as it is shown once."""
        text = signature.generate(self._random(32)) if secret is None else secret
        signature.check(text)
        sealed = self._master_key.seal(text, stream, self._random(NONCE_BYTES))
        shown = Shown(signature.verifier(text), text if secret is None else None)
        return Sealed(self._new_id(), stream, sealed), shown

    async def _append(self, entries: list[Entry], asked: Asked | None = None, secrets: tuple[Sealed, ...] = ()) -> None:
        answer = await append(self._writer, Unit(entries, secrets=secrets), asked)
        if type(answer) is not int:
            raise ConflictError("somebody else changed the webhook just now; look at it and say it again")
