"""Which deliveries an operator means: lists, counts and redeliveries ask in the same words."""

from __future__ import annotations

import msgspec

from core.model.delivery import State


class Selection(msgspec.Struct, frozen=True):
    """What is not said does not matter. `statuses`: of the last attempt that counted, each like `404`, `4xx` or `none`.
    `target`: the id of an entity. `event`: the portal's id of an event. `since_ms` and `until_ms`: when they were
    created, inclusive. `before`: only smaller numbers. `text`: as core/history_text.py understands it."""

    webhook: int | None = None
    tenant: str | None = None
    trigger: str | None = None
    states: tuple[State, ...] = ()
    statuses: tuple[str, ...] = ()
    target: str | None = None
    event: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    before: int | None = None
    text: str | None = None
