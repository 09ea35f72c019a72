"""The headers of a delivery's request that are ours to say; Host and Content-Length are the sender's."""

from __future__ import annotations

from core.wire.signature import Signer
from core.wire.trace import HEADER


def headers(
    delivery: bytes,
    position: int,
    created_on: str,
    started_ms: int,
    body: bytes,
    signer: Signer,
    traceparent: str | None = None,
) -> list[tuple[str, str]]:
    """The headers in the order they are sent.

    *delivery* is the delivery's stream, *position* that of its Created, *created_on* `event.createOn` of the body,
    *started_ms* the attempt's time, *traceparent* the trace that the receiver is told of.
    """
    webhook_id = delivery.hex()
    timestamp_s = started_ms // 1000
    lines = [
        ("Accept", "*/*"),
        ("x-docspace-event-id", str(position)),
        ("x-docspace-event-timestamp", created_on),
        ("x-docspace-signature-256", signer.docspace(body)),
        ("webhook-id", webhook_id),
        ("webhook-timestamp", str(timestamp_s)),
        ("webhook-signature", signer.standard(webhook_id, timestamp_s, body)),
        ("Content-Type", "application/json; charset=utf-8"),
    ]
    return lines if traceparent is None else [*lines, (HEADER, traceparent)]


def head_lines(
    delivery: bytes,
    position: int,
    created_on: str,
    started_ms: int,
    body: bytes,
    signer: Signer,
    traceparent: str | None = None,
) -> bytes:
    """The same headers as they stand in the request: every line of them ends in CR LF."""
    webhook_id = delivery.hex()
    timestamp_s = started_ms // 1000
    trace = "" if traceparent is None else f"{HEADER}: {traceparent}\r\n"
    return (
        "Accept: */*\r\n"
        f"x-docspace-event-id: {position}\r\n"
        f"x-docspace-event-timestamp: {created_on}\r\n"
        f"x-docspace-signature-256: {signer.docspace(body)}\r\n"
        f"webhook-id: {webhook_id}\r\n"
        f"webhook-timestamp: {timestamp_s}\r\n"
        f"webhook-signature: {signer.standard(webhook_id, timestamp_s, body)}\r\n"
        f"Content-Type: application/json; charset=utf-8\r\n{trace}"
    ).encode("ascii")
