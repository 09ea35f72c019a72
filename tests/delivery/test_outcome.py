"""From what became of a request to what is recorded of it."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from core.limits import ANSWER_HEADERS_MAX, RETRY_AFTER_MS_MAX
from core.model.delivery import AttemptFailed, Delivered
from delivery.outcome import HOLDING, REDACTED, SECRET_HEADERS, attempt_of, event_of, is_good, redacted
from delivery.sender import Answered, Unreached

ENDED = 1_795_000_000_000
SCHEDULE_S = (5, 60, 300)

NAMES = st.sampled_from([*sorted(SECRET_HEADERS), "Set-Cookie", "WWW-AUTHENTICATE", "Content-Type", "X-Request-Id", ""])
HEADERS = st.lists(st.tuples(NAMES, st.text(max_size=20)), max_size=2 * ANSWER_HEADERS_MAX).map(tuple)
WAITS = st.none() | st.integers(0, 10**6)
ANSWERED = st.builds(Answered, st.integers(100, 599), HEADERS, st.binary(max_size=40), st.booleans())
OUTCOMES = ANSWERED | st.builds(Unreached, st.text(max_size=40))


def attempt(outcome, *, number=1, took=20, salt=b"s" * 16):
    return attempt_of(
        outcome,
        number=number,
        started_ms=ENDED - took,
        took_ms=took,
        webhook_version=3,
        secret=b"secret",
        wire=1,
        last_success=None,
        last_failure=None,
        body_hash=b"hash",
        salt=salt,
    )


def event(outcome, *, number=1, jitter=0.0):
    return event_of(
        outcome,
        attempt(outcome, number=number),
        tenant="1",
        webhook=7,
        number=42,
        ended_ms=ENDED,
        schedule_s=SCHEDULE_S,
        jitter=jitter,
    )


def asking(status, wait_s):
    headers = () if wait_s is None else (("Retry-After", str(wait_s)),)
    return Answered(status, headers, b"", False)


@given(OUTCOMES, st.integers(1, 6))
def test_any_2xx_is_delivered_and_nothing_else_is(outcome, number):
    """The status line decides, whatever its body; without an answer nothing was delivered."""
    recorded = event(outcome, number=number)
    good = isinstance(outcome, Answered) and 200 <= outcome.status < 300
    assert is_good(outcome) == good
    assert isinstance(recorded, Delivered if good else AttemptFailed)
    assert (recorded.tenant, recorded.at, recorded.webhook, recorded.number) == ("1", ENDED, 7, 42)
    assert recorded.attempt.number == number


@given(OUTCOMES, st.integers(1, 6), st.floats(-1, 1))
def test_there_is_a_next_attempt_until_the_schedule_ends(outcome, number, jitter):
    """A failure is due again as long as the schedule has a wait for it, and never before that wait's nine tenths."""
    recorded = event(outcome, number=number, jitter=jitter)
    if isinstance(recorded, AttemptFailed):
        assert (recorded.next is None) == (number > len(SCHEDULE_S))
        if recorded.next is not None:
            assert recorded.next >= ENDED + SCHEDULE_S[number - 1] * 900


@given(st.integers(300, 599), WAITS, st.integers(1, 6))
def test_only_429_and_503_hold_back_the_webhook(status, wait_s, number):
    """They hold it for as long as the receiver asks, a day at most, after the last attempt as well; others do not."""
    recorded = event(asking(status, wait_s), number=number)
    used_ms = min((wait_s or 0) * 1000, RETRY_AFTER_MS_MAX)
    assert recorded.holds == (ENDED + used_ms if status in HOLDING and used_ms else None)
    assert recorded.retry_after == (None if wait_s is None else used_ms)
    assert recorded.capped == ((wait_s or 0) * 1000 > RETRY_AFTER_MS_MAX)
    if recorded.next is not None:
        assert recorded.next >= ENDED + used_ms


@given(HEADERS)
def test_kept_headers_hold_no_secret_and_are_few(headers):
    """Names stay, in order, up to the limit; the values of those that carry secrets do not."""
    kept = redacted(headers)
    assert [name for name, _ in kept] == [name for name, _ in headers[:ANSWER_HEADERS_MAX]]
    for (name, value), (_, was) in zip(kept, headers, strict=False):
        assert value == (REDACTED if name.lower() in SECRET_HEADERS else was)


@given(OUTCOMES, st.binary(min_size=16, max_size=16))
def test_an_attempt_keeps_the_proof_of_an_answer(outcome, salt):
    """Length and salted hash stand for the body, if there is one; there is a reason unless it went well."""
    kept = attempt(outcome, salt=salt)
    if isinstance(outcome, Unreached):
        assert (kept.status, kept.reason, kept.headers, kept.answer, kept.truncated) == (
            None, outcome.reason, (), None, False
        )  # fmt: skip
        return
    assert (kept.status, kept.truncated) == (outcome.status, outcome.truncated)
    assert bool(kept.reason) != is_good(outcome)
    if outcome.body:
        assert kept.answer.length == len(outcome.body)
        assert kept.answer.hash == sha256(salt + outcome.body).digest()
    else:
        assert kept.answer is None
