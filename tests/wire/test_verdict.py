"""What a receiver makes of signatures."""

from __future__ import annotations

import pytest

from core.wire.signature import Signer
from core.wire.verdict import docspace_verdict, standard_verdict

SIGNER = Signer("S3cret-key-0123456789")
OTHER = Signer("another-secret")
BODY = b'{"event":{"id":1}}'
DOCSPACE = SIGNER.docspace(BODY)
STANDARD = SIGNER.standard("id", 1000, BODY)


@pytest.mark.parametrize(
    ("signers", "signature", "body", "verdict"),
    [
        ([SIGNER], DOCSPACE, BODY, "verified"),
        ([OTHER, SIGNER], DOCSPACE.lower(), BODY, "verified"),
        ([SIGNER], DOCSPACE, BODY + b" ", "wrong"),
        ([OTHER], DOCSPACE, BODY, "wrong"),
        ([SIGNER], DOCSPACE[7:], BODY, "wrong"),
        ([SIGNER], "sha256=é\udcff", BODY, "wrong"),
        ([SIGNER], None, BODY, "missing"),
        ([], DOCSPACE, BODY, "unchecked"),
    ],
)
def test_docspaces_signature(signers, signature, body, verdict):
    """It holds under any secret that is known, in either case of its hex, and only for its body."""
    assert docspace_verdict(signers, signature, body) == verdict


@pytest.mark.parametrize(
    ("signers", "webhook_id", "timestamp", "signature", "now_s", "verdict"),
    [
        ([SIGNER], "id", "1000", STANDARD, 1300, "verified"),
        ([OTHER, SIGNER], "id", "1000", f"v1,AAAA v1a,BBBB {STANDARD}", 1000, "verified"),
        ([SIGNER], "id", "1000", STANDARD, None, "verified"),
        ([SIGNER], "id", "1000", STANDARD, 1301, "stale"),
        ([SIGNER], "id", "1000", STANDARD, 699, "stale"),
        ([SIGNER], "id2", "1000", STANDARD, 1000, "wrong"),
        ([SIGNER], "id", "1001", STANDARD, 1000, "wrong"),
        ([SIGNER], "id", "01000", STANDARD, 1000, "wrong"),
        ([SIGNER], "id", "soon", STANDARD, 1000, "wrong"),
        ([SIGNER], "id", "", STANDARD, 1000, "wrong"),
        ([SIGNER], "id", "9" * 5000, STANDARD, 1000, "wrong"),
        ([OTHER], "id", "1000", STANDARD, 1000, "wrong"),
        ([SIGNER], "id\udcff", "1000", STANDARD, 1000, "wrong"),
        ([SIGNER], "id", "1000", None, 1000, "missing"),
        ([], "id", "1000", STANDARD, 1000, "unchecked"),
    ],
)
def test_standard_webhooks_signature(signers, webhook_id, timestamp, signature, now_s, verdict):
    """It holds if one of several does, for its id and its time, and five minutes long."""
    assert standard_verdict(signers, webhook_id, timestamp, signature, BODY, now_s) == verdict
