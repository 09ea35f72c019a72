"""When a failed attempt is made again: the schedule, its jitter, and what the receiver asked for; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from core.limits import RETRY_AFTER_MS_MAX

SCHEDULE_S = (5, 60, 300, 1800, 7200, 18000, 36000)
"""Seconds before each retry, where a webhook has no schedule of its own."""
JITTER = 0.1
"""Largest share of a wait that is added or taken away, so that what failed together is not retried together."""

_SECONDS = re.compile(r"([+-]?)([0-9]+)(\.[0-9]*)?")
_SECONDS_DIGITS_MAX = 15
"""More of them are as good as these, and Python refuses to read thousands."""
_WEEKDAY = r"(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
_DAY = r"(?P<day>[0-9]{1,2})"
_MONTH = r"(?P<month>[a-z]{3})"
_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES = (
    re.compile(rf"{_WEEKDAY}, *{_DAY} +{_MONTH} +(?P<year>[0-9]{{4}}) +{_CLOCK} +(?:GMT|UTC)", re.IGNORECASE),
    re.compile(rf"{_WEEKDAY}, *{_DAY}-{_MONTH}-(?P<year>[0-9]{{2}}) +{_CLOCK} +(?:GMT|UTC)", re.IGNORECASE),
    re.compile(rf"{_WEEKDAY} +{_MONTH} +{_DAY} +{_CLOCK} +(?P<year>[0-9]{{4}})", re.IGNORECASE),
)
"""The three forms that a receiver of an HTTP-date must take (RFC 9110, 5.6.7)."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class Next(NamedTuple):
    """`due_ms` None: that was the last attempt. `retry_after_ms` is what the receiver asked for, as used; `capped`: it
    asked for more."""

    due_ms: int | None
    retry_after_ms: int | None
    capped: bool


def next_attempt(
    number: int, ended_ms: int, schedule_s: Sequence[int], jitter: float, retry_after_ms: int | None
) -> Next:
    """What follows on attempt *number*, which failed at *ended_ms*; *jitter* is random, from -1 to 1."""
    asked_ms = 0 if retry_after_ms is None else retry_after_ms
    used_ms = min(asked_ms, RETRY_AFTER_MS_MAX)
    due_ms = None
    if number <= len(schedule_s):
        wait_ms = round(schedule_s[number - 1] * 1000 * (1 + JITTER * jitter))
        due_ms = ended_ms + max(wait_ms, used_ms)
    return Next(due_ms, None if retry_after_ms is None else used_ms, asked_ms > used_ms)


def retry_after_ms(headers: Sequence[tuple[str, str]], received_at_ms: int) -> int | None:
    """How long the receiver asks us to wait, from its answer on; None when it did not, or not in words we know.

    A date is held against the receiver's own clock where its answer tells it, else against ours.
    """
    asked = _first(headers, "retry-after")
    if asked is None:
        return None
    seconds = _SECONDS.fullmatch(asked)
    if seconds is not None:
        return _seconds_ms(*seconds.groups(default=""))
    until_ms = _date_ms(asked, received_at_ms)
    if until_ms is None:
        return None
    date = _first(headers, "date")
    answered_ms = None if date is None else _date_ms(date, received_at_ms)
    return max(0, until_ms - (received_at_ms if answered_ms is None else answered_ms))


def _first(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    return next((value.strip() for key, value in headers if key.lower() == name), None)


def _seconds_ms(sign: str, digits: str, fraction: str) -> int:
    """Whole seconds are the rule; where there is a fraction, we wait for it to end."""
    if sign == "-":
        return 0
    digits = digits.lstrip("0")[: _SECONDS_DIGITS_MAX + 1]
    return int(digits or "0") * 1000 + math.ceil(float("0" + fraction[:_SECONDS_DIGITS_MAX]) * 1000)


def _date_ms(text: str, now_ms: int) -> int | None:
    found = next((match for form in _DATES if (match := form.fullmatch(text))), None)
    if found is None or found["month"].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(found["month"].lower()) + 1
    year, day, hour, minute, second = (int(found[part]) for part in ("year", "day", "hour", "minute", "second"))
    if len(found["year"]) == len("94"):
        year = _whole_year(year, now_ms)
    leap_s = 1 if second == 60 else 0
    try:
        moment = datetime(year, month, day, hour, minute, second - leap_s, tzinfo=UTC)
    except ValueError:
        return None
    return (round(moment.timestamp()) + leap_s) * 1000


def _whole_year(year: int, now_ms: int) -> int:
    """Two digits mean the nearest year that ends in them: the one at most 50 years ahead (RFC 9110), or behind."""
    this_year = datetime.fromtimestamp(now_ms // 1000, UTC).year
    return this_year + 50 - (this_year + 50 - year) % 100
