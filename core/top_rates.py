"""What happened between two answers of the operation `top`: rates, and how long things took; pure."""

from __future__ import annotations

import msgspec

from core.histogram import quantile
from core.operations.top import Spread, TopTold


class Percentiles(msgspec.Struct, frozen=True):
    """Of what ended in between, in milliseconds, as far as the bounds of the histogram tell; None: nothing did."""

    p50: float | None
    p99: float | None


class Rates(msgspec.Struct, frozen=True):
    """Per second, over `over_s` seconds. `cpu`: share of one processor."""

    over_s: float
    accepted: float
    duplicates: float
    rejected: float
    created: float
    delivered: float
    failed_attempts: float
    failed: float
    cancelled: float
    commits: float
    cpu: float
    delivery_ms: Percentiles
    attempt_ms: Percentiles
    commit_ms: Percentiles


class Seen(msgspec.Struct, frozen=True):
    """One look: how things stand, and what happened since the look before. `rates` None: there was none before, or
    `serve` has started anew since."""

    now: TopTold
    rates: Rates | None


def seen(before: TopTold | None, now: TopTold) -> Seen:
    if before is None or now.clock_s <= before.clock_s or now.cpu_s < before.cpu_s or now.accepted < before.accepted:
        return Seen(now, None)
    over_s = now.clock_s - before.clock_s

    def rate(name: str) -> float:
        return round(float(getattr(now, name) - getattr(before, name)) / over_s, 3)

    return Seen(
        now,
        Rates(
            over_s=round(over_s, 3),
            accepted=rate("accepted"),
            duplicates=rate("duplicates"),
            rejected=rate("rejected"),
            created=rate("created"),
            delivered=rate("delivered"),
            failed_attempts=rate("failed_attempts"),
            failed=rate("failed"),
            cancelled=rate("cancelled"),
            commits=round((sum(now.commits.counts) - sum(before.commits.counts)) / over_s, 3),
            cpu=rate("cpu_s"),
            delivery_ms=_percentiles(before.deliveries_ms, now.deliveries_ms),
            attempt_ms=_percentiles(before.attempts_ms, now.attempts_ms),
            commit_ms=_percentiles(before.commits, now.commits),
        ),
    )


def _percentiles(before: Spread, now: Spread) -> Percentiles:
    counts = [new - old for old, new in zip(before.counts, now.counts, strict=True)]
    p50, p99 = (quantile(now.bounds, counts, share) for share in (0.5, 0.99))
    return Percentiles(None if p50 is None else round(p50, 1), None if p99 is None else round(p99, 1))
