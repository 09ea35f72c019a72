"""`Retry-After` and `Date` of any receiver: a wait that the standard library reads in them too, or none.

The judges are the readers of dates for cookies and for mail, and Python's own decimal numbers.
"""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from email.utils import mktime_tz, parsedate_tz
from http.cookiejar import http2time

from core.limits import RETRY_AFTER_MS_MAX
from delivery.schedule import next_attempt, retry_after_ms

MODULES = ("delivery.schedule",)
NOW_MS = 1_790_000_000_000
ANCIENT = re.compile(r"0\d{3}")
"""A year that the judges take for one of two or three digits."""
DAY_S = 24 * 3600


def seeds() -> list[bytes]:
    dates = (
        b"Sun, 06 Nov 2094 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 2094",
        b"Thu, 31 Dec 2026 23:59:60 GMT",
    )
    return [b"120\n", b"0\n", b"1.5\n", b"-3\n", *(one + b"\n" for one in dates), *(b"%b\n%b" % (d, d) for d in dates)]


def look(data: bytes) -> bool:
    """True when a wait was read."""
    asked, _, date = data.decode("latin-1").partition("\n")
    headers = [("Retry-After", asked)] + ([("date", date)] if date else [])
    wait_ms = retry_after_ms(headers, NOW_MS)
    if wait_ms is None:
        assert not asked.isascii() or not asked.strip().isdigit(), asked
        return False
    assert isinstance(wait_ms, int)
    assert wait_ms >= 0
    bounded(wait_ms)
    judged(wait_ms, asked.strip(), date.strip())
    return True


def bounded(wait_ms: int) -> None:
    """Whatever was asked for, the next attempt is neither early nor later than the limit lets it be."""
    found = next_attempt(1, NOW_MS, (5,), 0.0, wait_ms)
    assert found.due_ms is not None
    assert found.due_ms - NOW_MS == max(5_000, min(wait_ms, RETRY_AFTER_MS_MAX))
    assert found.capped == (wait_ms > RETRY_AFTER_MS_MAX)


def judged(wait_ms: int, asked: str, date: str) -> None:
    seconds = number(asked)
    if seconds is not None:
        least = max(Decimal(0), seconds) * 1000
        assert wait_ms >= min(least, RETRY_AFTER_MS_MAX), (asked, wait_ms)
        assert wait_ms <= least + 1 or wait_ms > RETRY_AFTER_MS_MAX, (asked, wait_ms)
        return
    if ANCIENT.search(asked + date):
        return
    ends, starts = moments(asked), moments(date) | {NOW_MS / 1000}
    assert ends, asked
    apart = {abs(max(0.0, end_s - start_s) - wait_ms / 1000) for end_s in ends for start_s in starts}
    assert 0.0 in apart or (short_year(asked + date) and any(centuries(gap_s) for gap_s in apart)), (asked, date, apart)


def moments(text: str) -> set[float]:
    """What the standard library's readers take a date for."""
    found: set[float | None] = set()
    with suppress(ValueError, OverflowError):
        found.add(http2time(text))
    with suppress(ValueError, OverflowError):
        if parts := parsedate_tz(text):
            found.add(mktime_tz((*parts[:9], parts[9] or 0)))
    return {moment for moment in found if moment is not None}


def short_year(text: str) -> bool:
    """Years of two digits are the nearest such year to somebody's now, and the judges' is another."""
    return "-" in text


def centuries(gap_s: float) -> bool:
    """Whether a gap is one or two centuries, or what a wait of none hides of them."""
    return gap_s % DAY_S == 0 and (gap_s / DAY_S % 36_524 <= 2 or gap_s / DAY_S % 36_525 <= 2)


def number(text: str) -> Decimal | None:
    try:
        return Decimal(text) if text.isascii() else None
    except InvalidOperation:
        return None
