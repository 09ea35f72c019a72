"""The headers of a request, as pairs and as lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.wire.headers import head_lines, headers
from core.wire.signature import Signer

SIGNER = Signer("S3cret-key-0123456789")


def test_the_headers_in_their_order():
    """DocSpace's headers come first, then Standard Webhooks' three, then the content's; nobody is named as sender."""
    delivery = bytes(range(16))
    got = headers(delivery, 1001, "2026-11-23T10:00:00Z", 1795428002999, b"{}", SIGNER)
    assert got == [
        ("Accept", "*/*"),
        ("x-docspace-event-id", "1001"),
        ("x-docspace-event-timestamp", "2026-11-23T10:00:00Z"),
        ("x-docspace-signature-256", SIGNER.docspace(b"{}")),
        ("webhook-id", "000102030405060708090a0b0c0d0e0f"),
        ("webhook-timestamp", "1795428002"),
        ("webhook-signature", SIGNER.standard("000102030405060708090a0b0c0d0e0f", 1795428002, b"{}")),
        ("Content-Type", "application/json; charset=utf-8"),
    ]


@given(
    st.binary(min_size=16, max_size=16),
    st.integers(1, 2**62),
    st.integers(0, 2**42),
    st.binary(max_size=100),
    st.text(min_size=8, max_size=75),
    st.sampled_from([None, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]),
)
def test_lines_are_the_same_headers(delivery, position, started_ms, body, secret, trace):
    """What the fast sender writes is, header for header, what any other client is given."""
    signer = Signer(secret)
    pairs = headers(delivery, position, "2026-11-23T10:00:00Z", started_ms, body, signer, trace)
    lines = head_lines(delivery, position, "2026-11-23T10:00:00Z", started_ms, body, signer, trace)
    assert dict(pairs).get("traceparent") == trace
    assert lines == b"".join(f"{name}: {value}\r\n".encode("ascii") for name, value in pairs)
