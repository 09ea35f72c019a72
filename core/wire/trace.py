"""Trace contexts (W3C Trace Context, level 1): read from `traceparent`, and what a receiver is told; pure.

A context is kept as the header has it in version 00: `00-<trace>-<parent>-<flags>`, all in hex.
"""

from __future__ import annotations

import hashlib
import re

HEADER = "traceparent"

SAMPLED = 1
_KNOWN_FLAGS = SAMPLED
"""What other flags mean is not known to version 00: they are not passed on."""
_FORM = re.compile(r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
_NO_TRACE, _NO_PARENT = "0" * 32, "0" * 16


def context_of(text: object) -> str | None:
    """The context that a `traceparent` says; None when it is not valid, which is never an error.

    A later version may say more behind what we know; version 00 may not, and ff is none.
    """
    if not isinstance(text, str):
        return None
    found = _FORM.match(text)
    if found is None or found["trace"] == _NO_TRACE or found["parent"] == _NO_PARENT or found["version"] == "ff":
        return None
    rest = text[found.end() :]
    if rest and (found["version"] == "00" or not rest.startswith("-")):
        return None
    return f"00-{found['trace']}-{found['parent']}-{int(found['flags'], 16) & _KNOWN_FLAGS:02x}"


def is_sampled(context: str) -> bool:
    """Whether somebody before us records this trace."""
    return context.endswith("1")


def span_of(delivery: bytes, attempt: int) -> str:
    """The id of an attempt's span, in hex; *delivery* is the delivery's stream. It can be told again at any time."""
    return hashlib.sha256(b"attempt %d of %s" % (attempt, delivery)).hexdigest()[:16]


def context_of_attempt(context: str | None, delivery: bytes, attempt: int, *, traced: bool) -> str | None:
    """What the receiver is told: of an attempt that has a span, that span; else the event's context as it is."""
    if context is None or not traced:
        return context
    return f"{context[:36]}{span_of(delivery, attempt)}{context[52:]}"
