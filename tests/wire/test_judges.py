"""Verifiers that others wrote judge what we sign."""

from __future__ import annotations

import json

import pytest
import standardwebhooks
import svix.webhooks

from core.clock import SystemClock
from core.wire.body import created_on, event_head, render, retry_block, target_block, webhook_block
from core.wire.docspace_json import encode
from core.wire.failure import failure_text
from core.wire.headers import headers
from core.wire.signature import Signer, generate, verifier
from tests.wire.facts import received, webhook

SECRETS = ["S3cret-key-0123456789", "8-chars!", "x" * 75, generate(bytes(range(32))), "whsec_QUJDREVGR0hJSktMTU5PUA"]
JUDGES = [standardwebhooks.Webhook, svix.webhooks.Webhook]


def bodies():
    event, plain, targeted = received(), webhook(), webhook(target="991", name="Über „alles“ \U0001f600")
    payload = encode({"id": 991, "title": "Отчёт & 'смета' \U0001f600.docx", "shared": False})
    retry = retry_block(2, SystemClock().now_ms(), 1795428001000, failure_text(503), None)
    return {
        "first": render(1, event_head(event), b'{"id":991}', webhook_block(plain), b"", b""),
        "non-ascii": render(2, event_head(event), payload, webhook_block(targeted), target_block(targeted, event), b""),
        "retried": render(3, event_head(event), payload, webhook_block(plain), b"", retry),
    }


def signed(secret, body, started_ms):
    return dict(headers(bytes(range(16)), 1, created_on(received()), started_ms, body, Signer(secret)))


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("kind", ["first", "non-ascii", "retried"])
def test_a_judge_verifies(judge, secret, kind):
    """Built from the string for verifiers, an independent verifier accepts every kind of body."""
    body = bodies()[kind]
    judge(verifier(secret)).verify(body, signed(secret, body, SystemClock().now_ms()))
    assert json.loads(body)["webhook"]["id"] == 7


@pytest.mark.parametrize("judge", JUDGES)
def test_a_judge_refuses_one_changed_byte(judge):
    """The signature covers every byte of the body."""
    body = bodies()["non-ascii"]
    sent = signed(SECRETS[0], body, SystemClock().now_ms())
    for changed in (body.replace(b"991", b"992", 1), body[:-1], body + b" "):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            judge(verifier(SECRETS[0])).verify(changed, sent)


@pytest.mark.parametrize("judge", JUDGES)
def test_a_judge_refuses_another_secret(judge):
    """Who has another secret, or a header of another delivery, is not fooled."""
    body = bodies()["first"]
    sent = signed(SECRETS[0], body, SystemClock().now_ms())
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        judge(verifier(SECRETS[1])).verify(body, sent)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        judge(verifier(SECRETS[0])).verify(body, sent | {"webhook-id": bytes(16).hex()})


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("away_ms", [-301_000, 302_000])
def test_a_judge_refuses_an_old_timestamp(judge, away_ms):
    """The attempt's time is signed, so that a request cannot be played back later."""
    body = bodies()["first"]
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        judge(verifier(SECRETS[0])).verify(body, signed(SECRETS[0], body, SystemClock().now_ms() + away_ms))
