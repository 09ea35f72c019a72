"""The operation behind `hookledger top`: counters since the start of `serve`, and how things stand just now."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import msgspec

from core.carried import Carried
from core.clock import to_iso
from core.errors import HookledgerError, InvalidInputError
from core.histogram import Histogram
from core.limits import TOP_WEBHOOKS_MAX
from core.office import Office
from core.operations.operation import Operation

STATM = Path("/proc/self/statm")


class AskTop(msgspec.Struct, frozen=True):
    """*webhooks*: how many of each kind."""

    webhooks: int = 10


class Spread(msgspec.Struct, frozen=True):
    """A histogram: counts of values up to each bound, and of those above."""

    bounds: tuple[int, ...]
    counts: tuple[int, ...]


class TopTold(msgspec.Struct, frozen=True):
    """Counters are since the start of the process; two of these make rates. `clock_s` is a clock that never jumps.
    `lag_ms`: how old the oldest event is that a view does not hold, by view. `memory_bytes` None: nobody knows."""

    version: str
    at: str
    clock_s: float
    cpu_s: float
    memory_bytes: int | None
    accepted: int
    duplicates: int
    rejected: int
    created: int
    delivered: int
    failed_attempts: int
    failed: int
    cancelled: int
    position: int
    commits: Spread
    commits_failed: int
    units_waiting: int
    deliveries_ms: Spread
    attempts_ms: Spread
    lag_ms: Mapping[str, int]
    carried: Carried


async def _top(office: Office, request: AskTop) -> TopTold:
    if not 1 <= request.webhooks <= TOP_WEBHOOKS_MAX:
        raise InvalidInputError(f"1 to {TOP_WEBHOOKS_MAX} webhooks of each kind", limit="TOP_WEBHOOKS_MAX")
    if office.lookout is None:
        raise HookledgerError("nothing is delivered here: start `hookledger serve`")
    carried = await office.lookout(request.webhooks)
    tally, writer, used = office.tally, office.writer, resource.getrusage(resource.RUSAGE_SELF)
    now = office.clock.now_ms()
    return TopTold(
        version=version("hookledger"),
        at=to_iso(now),
        clock_s=asyncio.get_running_loop().time(),
        cpu_s=used.ru_utime + used.ru_stime,
        memory_bytes=_memory_bytes(),
        accepted=sum(tally.accepted.values()),
        duplicates=sum(tally.duplicates.values()),
        rejected=sum(tally.rejected.values()),
        created=sum(tally.created.values()),
        delivered=tally.delivered,
        failed_attempts=sum(tally.refused.values()),
        failed=tally.failed,
        cancelled=tally.cancelled,
        position=writer.head,
        commits=_spread(writer.commit_ms),
        commits_failed=writer.commits_failed,
        units_waiting=writer.units_waiting,
        deliveries_ms=_spread(tally.delivery_ms),
        attempts_ms=_spread(tally.attempt_ms),
        lag_ms={
            follower.view.name.partition("/")[0]: 0 if since is None else max(now - since, 0)
            for follower in office.followers
            for since in (follower.behind_since,)
        },
        carried=carried,
    )


def _spread(histogram: Histogram) -> Spread:
    return Spread(histogram.bounds, tuple(histogram.counts))


def _memory_bytes() -> int | None:
    try:
        return int(STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return None


TOP = Operation("top", AskTop, TopTold, _top)
