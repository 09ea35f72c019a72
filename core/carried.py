"""What those who carry deliveries tell people of them: how much there is, and which webhooks stand out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec


class LaneTold(msgspec.Struct, frozen=True):
    """A webhook's place in the outbox. `open`: deliveries that have not ended; `due` of them, the first for
    `overdue_ms`. `took_ms`: how long its attempts take by now. `hangs`: a request grew old, and none was quick since.
    `failed`: attempts since the last success, the first at `failing_since`."""

    webhook: int
    name: str
    open: int
    due: int
    overdue_ms: int
    window: int
    under_way: int
    took_ms: int
    hangs: bool
    failed: int
    failing_since: str | None
    held_until: str | None


class Carried(msgspec.Struct, frozen=True):
    """`reasons`: why the service is not ready. `lanes`: how many there are, and how many of them in which state.
    `slowest`, `failing` and `fullest` are the first of their kind, of enabled webhooks."""

    reasons: tuple[str, ...]
    open: int
    due: int
    overdue_ms: int
    ready: int
    young: int
    old: int
    unrecorded: int
    windows: int
    lanes: Mapping[str, int]
    slowest: tuple[LaneTold, ...]
    failing: tuple[LaneTold, ...]
    fullest: tuple[LaneTold, ...]


Lookout = Callable[[int], Awaitable[Carried]]
"""Tells of so many webhooks of each kind."""
