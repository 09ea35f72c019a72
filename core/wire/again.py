"""The bytes of an attempt that was made, rendered again from recorded facts alone; no plugin is asked."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import LedgerError
from core.model.delivery import Attempt
from core.model.portal_event import Received
from core.model.webhook import Webhook
from core.wire.body import WIRE, created_on, event_head, render, retry_block, target_block, webhook_block
from core.wire.headers import headers
from core.wire.signature import Signer
from core.wire.trace import context_of_attempt


def render_again(
    position: int,
    received: Received,
    payload: bytes,
    webhook: Webhook,
    attempts: Sequence[Attempt],
    attempt: Attempt,
) -> bytes:
    """The body of *attempt*; `attempt.body_hash` proves it.

    *position* is that of the delivery's Created, *webhook* the webhook in the attempt's `webhook_version`, *attempts*
    those of the delivery in the order they were recorded: the ones before this attempt, or all.
    """
    if attempt.wire != WIRE:
        raise LedgerError(f"the attempt has wire format {attempt.wire}: start the version of hookledger that made it")
    retry = retry_block(
        attempt.number, attempt.started, attempt.last_failure, _last_failure(attempts, attempt), attempt.last_success
    )
    return render(
        position, event_head(received), payload, webhook_block(webhook), target_block(webhook, received), retry
    )


def headers_again(
    delivery: bytes, position: int, received: Received, attempt: Attempt, body: bytes, secret: str
) -> list[tuple[str, str]]:
    """The headers of *attempt*, signed with the secret it names; *delivery* is the delivery's stream."""
    trace = context_of_attempt(received.traceparent, delivery, attempt.number, traced=attempt.traced)
    return headers(delivery, position, created_on(received), attempt.started, body, Signer(secret), trace)


def _last_failure(attempts: Sequence[Attempt], attempt: Attempt) -> str | None:
    """The reason of the attempt before: the first recorded with its number, for a later one came too late to count."""
    if attempt.number == 1:
        return None
    before = next((other for other in attempts if other.number == attempt.number - 1), None)
    if before is None:
        raise LedgerError(f"attempt {attempt.number} is recorded, but not attempt {attempt.number - 1} before it")
    return before.reason
