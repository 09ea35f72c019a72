"""The commands on webhooks: what people, and the outbox's reactions, may ask to be changed.

Each holds the matcher while it commits, so that no event is matched against a guess of who listens, and every event
accepted after a command was answered hears of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Literal, Protocol

from core.clock import Clock
from core.directory import Directory
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.intake import Intake
from core.ledger.keys import NONCE_BYTES, MasterKey
from core.ledger.unit import Answer, Entry, Sealed, Unit
from core.ledger.writer import Writer
from core.limits import (
    TENANT_CHARS_MAX,
    WEBHOOK_NAME_CHARS_MAX,
    WEBHOOK_TARGET_CHARS_MAX,
    WEBHOOK_TRIGGERS_MAX,
    WEBHOOK_URL_CHARS_MAX,
)
from core.model import webhook
from core.model.webhook import Webhook
from core.plugins import Plugins
from core.wire import signature


class CheckUrl(Protocol):
    """Refuses a URL that we would not call, with an InvalidInputError that says why."""

    def __call__(self, url: str, ssl: bool) -> None: ...


class Made:
    """A webhook that was just created, with what is shown only once."""

    def __init__(self, webhook: Webhook, secret: str, is_ours: bool) -> None:
        self.webhook = webhook
        self.verifier = signature.verifier(secret)
        self.secret = secret if is_ours else None


class Webhooks:
    """Creates, disables; finds."""

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
        self._directory, self._plugins, self._intake, self._writer = directory, plugins, intake, writer
        self._master_key, self._clock, self._random, self._check_url = master_key, clock, random, check_url

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
        by: str | None,
    ) -> Made:
        """Record a webhook. Without *owner* it belongs to the portal itself; without *secret* we make one."""
        is_ours = secret is None
        if secret is None:
            secret = signature.generate(self._random(32))
        signature.check(secret)
        if not 1 <= len(tenant) <= TENANT_CHARS_MAX:
            raise InvalidInputError(f"a tenant has 1 to {TENANT_CHARS_MAX} characters", limit="TENANT_CHARS_MAX")
        _check_text("name", name, WEBHOOK_NAME_CHARS_MAX, "WEBHOOK_NAME_CHARS_MAX")
        _check_text("URL", url, WEBHOOK_URL_CHARS_MAX, "WEBHOOK_URL_CHARS_MAX")
        if target is not None:
            _check_text("target", target, WEBHOOK_TARGET_CHARS_MAX, "WEBHOOK_TARGET_CHARS_MAX")
        self._check_url(url, ssl)
        ordered = self._in_order(triggers)
        now = self._clock.now_ms()
        stream = now.to_bytes(6, "big") + self._random(10)
        secret_id = now.to_bytes(6, "big") + self._random(10)
        sealed = self._master_key.seal(secret, stream, self._random(NONCE_BYTES))
        created = webhook.Created(tenant, now, by, name, url, owner, ordered, target, ssl, enabled, secret_id)
        async with self._intake.held():
            answers = await self._writer.append(
                [Unit([Entry(stream, 1, created)], secrets=(Sealed(secret_id, stream, sealed),))]
            )
        _position(answers[0])
        return Made(self._directory.webhooks[stream], secret, is_ours)

    async def disable_for(self, number: int, reason: Literal["gone", "failing"], cause: int) -> None:
        """Disable a webhook because of what stands at position *cause*, unless it was enabled since then."""
        async with self._intake.held():
            known = self.get(number)
            if not known.enabled or cause <= known.enabled_position:
                return
            event = webhook.Disabled(known.tenant, self._clock.now_ms(), None, reason, cause)
            answers = await self._writer.append([Unit([Entry(known.id, known.version + 1, event)])])
            _position(answers[0])

    async def switch(self, number: int, *, enabled: bool, by: str | None) -> Webhook:
        """Enable or disable a webhook; nothing is recorded when it is so already."""
        async with self._intake.held():
            known = self.get(number)
            if known.enabled != enabled:
                now = self._clock.now_ms()
                event = (
                    webhook.Enabled(known.tenant, now, by)
                    if enabled
                    else webhook.Disabled(known.tenant, now, by, "person")
                )
                answers = await self._writer.append([Unit([Entry(known.id, known.version + 1, event)])])
                _position(answers[0])
        return self.get(number)

    async def delete(self, number: int, *, by: str | None) -> Webhook:
        """Delete a webhook; its history stays."""
        async with self._intake.held():
            known = self.get(number)
            event = webhook.Deleted(known.tenant, self._clock.now_ms(), by)
            answers = await self._writer.append([Unit([Entry(known.id, known.version + 1, event)])])
            _position(answers[0])
        return self._directory.webhooks[known.id]

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

    def _in_order(self, triggers: Sequence[str]) -> tuple[str, ...]:
        """Triggers as they are sent: by bit, then by name; those without a bit last. `*` is everything."""
        wanted = set(triggers)
        if "*" in wanted:
            return ()
        if len(wanted) > WEBHOOK_TRIGGERS_MAX:
            raise InvalidInputError(f"more than {WEBHOOK_TRIGGERS_MAX} triggers", limit="WEBHOOK_TRIGGERS_MAX")
        for name in sorted(wanted):
            if name not in self._plugins.triggers:
                raise InvalidInputError(f"no plugin knows the trigger {name!r}; {self._near(name)}")

        def place(name: str) -> tuple[int, str]:
            bit = self._plugins.triggers[name].trigger.bit
            return (64 if bit is None else bit, name)

        return tuple(sorted(wanted, key=place))

    def _near(self, name: str) -> str:
        """What may have been meant."""
        triggers = self._plugins.triggers
        near = [known for known in triggers if known.startswith(name)] or get_close_matches(name, triggers)
        if near:
            return f"what comes near: {', '.join(near)}"
        if self._plugins.faults:
            return f"plugins that cannot be loaded: {', '.join(map(repr, sorted(self._plugins.faults)))}"
        return "if its plugin was installed just now, start `serve` again"


def _check_text(what: str, text: str, max_chars: int, limit: str) -> None:
    if not text.strip() or not text.isprintable():
        raise InvalidInputError(f"the {what} is empty or has control characters in it")
    if len(text) > max_chars:
        raise InvalidInputError(f"the {what} has {len(text)} characters, at most {max_chars}", limit=limit)


def _position(answer: Answer) -> int:
    if type(answer) is int:
        return answer
    raise ConflictError("somebody else changed the webhook just now; look at it and say it again")
