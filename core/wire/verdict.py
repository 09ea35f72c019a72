"""What the signatures of a request are worth to a receiver who knows some secrets; pure."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from typing import Literal

from core.wire.signature import Signer

Verdict = Literal["verified", "wrong", "stale", "missing", "unchecked"]
"""`stale`: right, but made too long ago or in our future; `unchecked`: no secret is known."""

TOLERANCE_S = 300
"""How far `webhook-timestamp` may be from our clock; what Standard Webhooks' own verifiers allow."""
_SECONDS = re.compile(r"[0-9]{1,20}")


def docspace_verdict(signers: Sequence[Signer], signature: str | None, body: bytes) -> Verdict:
    """Of `x-docspace-signature-256`; its hex may be in either case."""
    if not signers:
        return "unchecked"
    if signature is None:
        return "missing"
    given = _bytes(signature.lower())
    held = [hmac.compare_digest(given, signer.docspace(body).lower().encode()) for signer in signers]
    return "verified" if any(held) else "wrong"


def standard_verdict(
    signers: Sequence[Signer],
    webhook_id: str,
    timestamp: str,
    signature: str | None,
    body: bytes,
    now_s: int | None,
) -> Verdict:
    """Of `webhook-signature`, which may hold several, with the two headers it covers. *now_s* None: never stale."""
    if not signers:
        return "unchecked"
    if signature is None:
        return "missing"
    if not webhook_id.isascii() or _SECONDS.fullmatch(timestamp) is None:
        return "wrong"
    timestamp_s = int(timestamp)
    given = [_bytes(one) for one in signature.split(" ")]
    own = [signer.standard(webhook_id, timestamp_s, body).encode() for signer in signers]
    held = [hmac.compare_digest(one, other) for one in given for other in own]
    if not any(held) or timestamp != str(timestamp_s):
        return "wrong"
    return "stale" if now_s is not None and abs(now_s - timestamp_s) > TOLERANCE_S else "verified"


def _bytes(header: str) -> bytes:
    """HTTP parsers for Python hide what is no UTF-8 in surrogates."""
    return header.encode("utf-8", "surrogateescape")
