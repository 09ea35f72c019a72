"""The bytes of an attempt, from what was recorded."""

from __future__ import annotations

import pytest

from core.errors import LedgerError
from core.wire.again import headers_again, render_again
from core.wire.body import created_on, event_head, render, retry_block, target_block, webhook_block
from core.wire.failure import failure_text
from core.wire.headers import headers
from core.wire.signature import Signer
from tests.wire.facts import attempt, received, webhook

PAYLOAD = b'{"id":991,"title":"\\u00E9"}'
HOOK = webhook(triggers=("file.updated",), target="991")
EVENT = received()
FIRST = attempt(1, 1795428000100, reason=failure_text(503))
SECOND = attempt(2, 1795428006200, reason="connection refused", last_failure=FIRST.started, last_success=1795338000000)
THIRD = attempt(3, 1795428070300, status=200, last_failure=SECOND.started, last_success=1795338000000)
LATE = attempt(2, 1795428009999, reason="answered too late", last_failure=FIRST.started)


def rendered(retry):
    return render(1002, event_head(EVENT), PAYLOAD, webhook_block(HOOK), target_block(HOOK, EVENT), retry)


def retry_of(made, reason):
    return retry_block(made.number, made.started, made.last_failure, reason, made.last_success)


@pytest.mark.parametrize(
    ("made", "reason"), [(FIRST, None), (SECOND, failure_text(503)), (THIRD, "connection refused")]
)
@pytest.mark.parametrize("late", [[], [LATE]])
def test_every_attempt_is_rendered_as_it_was_sent(made, reason, late):
    """First attempt and retries come out as the worker wrote them, whether all attempts are given or those before,
    and a late attempt with the same number changes nothing."""
    before = [one for one in (FIRST, SECOND, *late, THIRD) if one.number < made.number]
    expected = rendered(retry_of(made, reason))
    assert render_again(1002, EVENT, PAYLOAD, HOOK, before, made) == expected
    assert render_again(1002, EVENT, PAYLOAD, HOOK, [FIRST, SECOND, *late, THIRD], made) == expected


def test_the_headers_are_those_that_were_sent():
    """The recorded time and the secret give the same signatures again."""
    body = render_again(1002, EVENT, PAYLOAD, HOOK, [FIRST], SECOND)
    delivery, secret = bytes(range(16)), "S3cret-key-0123456789"
    assert headers_again(delivery, 1002, EVENT, SECOND, body, secret) == headers(
        delivery, 1002, created_on(EVENT), SECOND.started, body, Signer(secret)
    )


def test_another_wire_format_is_not_guessed():
    """An attempt of a format we do not know is refused, not shown as something it was not."""
    with pytest.raises(LedgerError, match="wire format 2"):
        render_again(1002, EVENT, PAYLOAD, HOOK, [], attempt(1, 1, wire=2))


def test_a_retry_needs_what_it_retried():
    """A second attempt without a first in the ledger is a broken ledger, and said to be."""
    with pytest.raises(LedgerError, match="not attempt 1"):
        render_again(1002, EVENT, PAYLOAD, HOOK, [SECOND], SECOND)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (503, "Response status code does not indicate success: 503 (Service Unavailable)."),
        (302, "Response status code does not indicate success: 302 (Found)."),
        (413, "Response status code does not indicate success: 413 (Request Entity Too Large)."),
        (418, "Response status code does not indicate success: 418."),
        (999, "Response status code does not indicate success: 999."),
    ],
)
def test_a_failure_is_told_in_dotnets_words(status, text):
    """A status that .NET has a name for is named, another is only a number."""
    assert failure_text(status) == text
