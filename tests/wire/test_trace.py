"""`traceparent`: what W3C Trace Context lets through, and what a receiver is told."""

from __future__ import annotations

import pytest

from core.wire.trace import context_of, context_of_attempt, is_sampled, span_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONTEXT = f"00-{TRACE}-{PARENT}-01"
DELIVERY = bytes(range(16))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (CONTEXT, CONTEXT),
        (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
        # what other flags mean is not known to version 00
        (f"00-{TRACE}-{PARENT}-ff", CONTEXT),
        (f"00-{TRACE}-{PARENT}-02", f"00-{TRACE}-{PARENT}-00"),
        # a later version is read as far as it is known, whatever stands behind
        (f"01-{TRACE}-{PARENT}-01", CONTEXT),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-brings", CONTEXT),
    ],
)
def test_a_valid_context_is_kept_as_version_00_has_it(said, kept):
    """Version, trace, parent and the sampled flag; a version from the future as far as it is known."""
    assert context_of(said) == kept
    assert is_sampled(kept) == kept.endswith("1")


@pytest.mark.parametrize(
    "said",
    [
        None,
        7,
        ["00"],
        "",
        "00",
        f"ff-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"000-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{PARENT[1:]}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-0x",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-",
        f"00-{TRACE}-{PARENT}-01-more",
        f"01-{TRACE}-{PARENT}-01.more",
        f"00_{TRACE}_{PARENT}_01",
        f" {CONTEXT}",
        f"{CONTEXT}\n",
        f"{CONTEXT}\r\nx: y",
        f"00-{TRACE}-{PARENT}-\uff10\uff11",
    ],
)
def test_what_is_not_valid_is_none(said):
    """It is ignored, and never an error: not even what would be a header of its own."""
    assert context_of(said) is None


def test_an_attempts_context_can_be_told_again():
    """With a span, the attempt is the parent, under an id that is derived; without, the event's own goes on."""
    first, second = (context_of_attempt(CONTEXT, DELIVERY, number, traced=True) for number in (1, 2))
    assert first == f"00-{TRACE}-{span_of(DELIVERY, 1)}-01"
    assert first == context_of_attempt(CONTEXT, DELIVERY, 1, traced=True)
    assert len({first, second, CONTEXT}) == 3
    assert span_of(DELIVERY, 1) != span_of(DELIVERY[::-1], 1)
    assert context_of(first) == first
    assert context_of_attempt(CONTEXT, DELIVERY, 1, traced=False) == CONTEXT
    assert context_of_attempt(None, DELIVERY, 1, traced=True) is None


def test_the_derivation_never_changes():
    """The id of an attempt's span stands in receivers' traces: it is written out here."""
    assert span_of(DELIVERY, 1) == "1ecbce9eb6dccc61"
