"""When a failed attempt is made again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.limits import RETRY_AFTER_MS_MAX
from delivery.schedule import SCHEDULE_S, Next, next_attempt, retry_after_ms

ENDED = 1795428000000
DAY_MS = 24 * 3600 * 1000
DATE = "Mon, 23 Nov 2026 10:00:00 GMT"
"""Is ENDED."""
JITTERS = st.floats(-1, 1)
WAITS = st.lists(st.integers(0, 10**6), max_size=12)


def test_the_default_schedule():
    """After the first attempt come seven more, over seventeen and a half hours."""
    due = [next_attempt(number, ENDED, SCHEDULE_S, 0.0, None).due_ms for number in range(1, 9)]
    waits = [5, 60, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600]
    assert due == [*(ENDED + wait * 1000 for wait in waits), None]


@pytest.mark.parametrize(("jitter", "wait_ms"), [(-1.0, 54_000), (0.5, 63_000), (1.0, 66_000)])
def test_jitter_is_a_tenth(jitter, wait_ms):
    """A wait is made up to a tenth shorter or longer."""
    assert next_attempt(2, ENDED, SCHEDULE_S, jitter, None) == Next(ENDED + wait_ms, None, capped=False)


@pytest.mark.parametrize(
    ("asked_ms", "due_ms", "used_ms", "capped"),
    [
        (0, 5_000, 0, False),
        (4_999, 5_000, 4_999, False),
        (120_000, 120_000, 120_000, False),
        (DAY_MS, DAY_MS, DAY_MS, False),
        (DAY_MS + 1, DAY_MS, DAY_MS, True),
        (10**30, DAY_MS, DAY_MS, True),
    ],
)
def test_a_receiver_may_ask_for_more_time(asked_ms, due_ms, used_ms, capped):
    """The later of schedule and request counts, the request up to a day; what was cut is marked."""
    assert next_attempt(1, ENDED, SCHEDULE_S, 0.0, asked_ms) == Next(ENDED + due_ms, used_ms, capped)


def test_the_last_attempt_has_no_next():
    """What the receiver asks for does not add attempts, but it is told, for it may hold back the whole webhook."""
    assert next_attempt(8, ENDED, SCHEDULE_S, 0.0, 60_000) == Next(None, 60_000, capped=False)
    assert next_attempt(1, ENDED, (), 0.0, None) == Next(None, None, capped=False)


@given(st.integers(1, 15), WAITS, JITTERS, st.none() | st.integers(0, 10**12))
def test_never_too_early_and_never_too_late(number, schedule_s, jitter, asked_ms):
    """Whatever is asked, the next attempt is not before it or the schedule's nine tenths, and not after both limits."""
    got = next_attempt(number, ENDED, schedule_s, jitter, asked_ms)
    asked = asked_ms or 0
    assert got.capped == (asked > RETRY_AFTER_MS_MAX)
    assert got.retry_after_ms == (None if asked_ms is None else min(asked, RETRY_AFTER_MS_MAX))
    if number > len(schedule_s):
        assert got.due_ms is None
        return
    wait_ms = schedule_s[number - 1] * 1000
    assert got.due_ms is not None
    assert got.due_ms >= ENDED + max(min(asked, RETRY_AFTER_MS_MAX), wait_ms * 0.9 - 1)
    assert got.due_ms <= ENDED + max(min(asked, RETRY_AFTER_MS_MAX), wait_ms * 1.1 + 1)


@pytest.mark.parametrize(
    ("value", "wait_ms"),
    [
        ("120", 120_000),
        (" 120 ", 120_000),
        ("+120", 120_000),
        ("0", 0),
        ("-5", 0),
        ("1.2", 1_200),
        ("1.00001", 1_001),
        ("2.", 2_000),
        ("", None),
        ("soon", None),
        ("1e3", None),
        ("12s", None),
        ("1_000", None),
        ("٣", None),
        ("0x10", None),
        ("Mon, 23 Nov 2026 10:02:00 GMT", 120_000),
        ("Monday, 23-Nov-26 10:02:00 GMT", 120_000),
        ("Mon Nov 23 10:02:00 2026", 120_000),
        ("Tue Dec  1 10:00:00 2026", 8 * DAY_MS),
        ("mon, 23 nov 2026 10:02:00 gmt", 120_000),
        ("Mon, 23 Nov 2026 10:02:60 GMT", 180_000),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Monday, 23-Nov-99 10:00:00 GMT", 0),
        ("Mon, 32 Nov 2026 10:00:00 GMT", None),
        ("Mon, 23 Nov 0000 10:00:00 GMT", None),
        ("Mon, 23 Foo 2026 10:00:00 GMT", None),
        ("Mon, 23 Nov 2026 25:00:00 GMT", None),
        ("Mon, 23 Nov 2026 10:02:00 +0200", None),
        ("2026-11-23T10:02:00Z", None),
    ],
)
def test_what_was_asked_for(value, wait_ms):
    """Seconds and all three forms of an HTTP-date are understood; the past is now, and anything else is nothing."""
    assert retry_after_ms([("Retry-After", value), ("Date", DATE)], ENDED + 999_999) == wait_ms


@pytest.mark.parametrize("digits", [16, 400, 4_301, 100_000])
def test_huge_numbers_are_only_long(digits):
    """A number that no clock can hold is a wait beyond the cap, and no error."""
    asked = retry_after_ms([("retry-after", "9" * digits)], ENDED)
    assert asked is not None
    assert next_attempt(1, ENDED, SCHEDULE_S, 0.0, asked) == Next(ENDED + DAY_MS, DAY_MS, capped=True)
    assert retry_after_ms([("retry-after", "0" * digits + "7")], ENDED) == 7_000


@pytest.mark.parametrize(
    ("date", "wait_ms"),
    [
        (None, 60_000),
        ("nonsense", 60_000),
        ("Mon, 23 Nov 2026 10:01:30 GMT", 30_000),
        ("Mon, 23 Nov 2026 12:00:00 GMT", 0),
    ],
)
def test_a_date_is_the_receivers(date, wait_ms):
    """A date is held against the answer's own `Date`, whatever our clock says, and against ours where it has none."""
    headers = [("RETRY-AFTER", "Mon, 23 Nov 2026 10:02:00 GMT"), *([("dAtE", date)] if date else [])]
    assert retry_after_ms(headers, ENDED + 60_000) == wait_ms


def test_the_first_header_counts():
    """Of several headers the first counts, even where only another could be understood."""
    assert retry_after_ms([("retry-after", "5"), ("retry-after", "9")], ENDED) == 5_000
    assert retry_after_ms([("retry-after", "?"), ("retry-after", "9")], ENDED) is None
    assert retry_after_ms([("x-retry-after", "5"), ("date", DATE)], ENDED) is None
    assert retry_after_ms([], ENDED) is None


@pytest.mark.parametrize(("short", "year"), [("26", 2026), ("76", 2076), ("77", 1977), ("94", 1994), ("00", 2000)])
def test_two_digits_are_a_year_nearby(short, year):
    """A two-digit year is at most fifty years ahead, else it is past."""
    headers = [("retry-after", f"Friday, 01-Jan-{short} 00:00:00 GMT")]
    ahead_ms = int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) - ENDED
    assert retry_after_ms(headers, ENDED) == max(0, ahead_ms)


@given(st.datetimes(datetime(2026, 11, 23, 10), datetime(2076, 1, 1)), st.sampled_from(range(3)))  # noqa: DTZ001
def test_every_date_in_every_form(moment, form):
    """Any moment from now on, in any of the three forms, is that moment."""
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    text = moment.strftime(("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y")[form])
    asked = retry_after_ms([("Retry-After", text)], ENDED)
    assert timedelta(milliseconds=asked) == moment - datetime(2026, 11, 23, 10, tzinfo=UTC)


PIECES = st.sampled_from(
    ["Mon", "Monday", ",", " ", "-", "23", "Nov", "99", "0000", "2026", "10:00:00", "GMT", "٣", "60"]
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Retry-After", "retry-after", "Date", "x"]),
            st.text(st.characters(exclude_categories=())) | st.lists(PIECES).map("".join),
        ),
        max_size=4,
    )
)
def test_no_text_is_an_error(headers):
    """Whatever a receiver writes there, the answer is a wait or none."""
    asked = retry_after_ms(headers, ENDED)
    assert asked is None or asked >= 0
