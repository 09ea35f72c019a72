"""From what became of a request to what is recorded of it; pure."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from core.limits import ANSWER_HEADERS_MAX
from core.model.delivery import Attempt, AttemptFailed, Cancelled, Delivered
from core.model.event import Event
from core.model.portal_event import Proof
from core.wire.failure import failure_text
from delivery.schedule import next_attempt, retry_after_ms
from delivery.sender import Answered, Outcome

HOLDING = (429, 503)
"""With these a receiver asks us to leave all of its webhook alone, not only this delivery."""

SECRET_HEADERS = frozenset({"set-cookie", "set-cookie2", "authorization", "proxy-authorization", "www-authenticate"})
REDACTED = "[redacted]"


def is_good(outcome: Outcome) -> bool:
    """Whether the receiver took it: any 2xx."""
    return type(outcome) is Answered and 200 <= outcome.status < 300


def attempt_of(
    outcome: Outcome,
    *,
    number: int,
    started_ms: int,
    took_ms: int,
    webhook_version: int,
    secret: bytes,
    wire: int,
    last_success: int | None,
    last_failure: int | None,
    body_hash: bytes,
    salt: bytes,
    traced: bool = False,
) -> Attempt:
    """What is kept of one request; *salt* makes the proof of the answer's body unguessable."""
    status: int | None = None
    reason, truncated = "", False
    headers: tuple[tuple[str, str], ...] = ()
    answer: Proof | None = None
    if isinstance(outcome, Answered):
        status = outcome.status
        if not 200 <= status < 300:
            reason = failure_text(status)
        headers = redacted(outcome.headers)
        truncated = outcome.truncated
        if outcome.body:
            answer = Proof(len(outcome.body), sha256(salt + outcome.body).digest())
    else:
        reason = outcome.reason
    return Attempt(
        number,
        started_ms,
        took_ms,
        webhook_version,
        secret,
        wire,
        last_success,
        last_failure,
        body_hash,
        status,
        reason,
        headers,
        answer,
        truncated,
        traced,
    )


def redacted(headers: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Headers as they may be kept: at most ANSWER_HEADERS_MAX, secrets taken out."""
    kept = tuple(headers[:ANSWER_HEADERS_MAX])
    for name, _ in kept:
        if name.lower() in SECRET_HEADERS:
            return tuple((n, REDACTED if n.lower() in SECRET_HEADERS else value) for n, value in kept)
    return kept


def event_of(
    outcome: Outcome,
    attempt: Attempt,
    *,
    tenant: str,
    webhook: int,
    number: int,
    ended_ms: int,
    schedule_s: Sequence[int],
    jitter: float,
) -> Delivered | AttemptFailed:
    """The recorded event: delivered, or failed with when it is due again."""
    if attempt.reason == "" and attempt.status is not None:
        return Delivered(tenant, ended_ms, webhook, number, attempt)
    asked_ms = retry_after_ms(outcome.headers, ended_ms) if isinstance(outcome, Answered) else None
    following = next_attempt(attempt.number, ended_ms, schedule_s, jitter, asked_ms)
    holds = None
    if attempt.status in HOLDING and following.retry_after_ms:
        holds = ended_ms + following.retry_after_ms
    return AttemptFailed(
        tenant,
        ended_ms,
        webhook,
        number,
        attempt,
        following.due_ms,
        following.retry_after_ms,
        following.capped,
        holds,
    )


def stands_in_the_way(known: Event, number: int) -> bool:
    """Whether this event ends a delivery, or takes the number of an attempt."""
    if isinstance(known, AttemptFailed):
        return known.next is None or known.attempt.number >= number
    return isinstance(known, Delivered | Cancelled)
