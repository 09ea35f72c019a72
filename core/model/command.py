"""The aggregate Command: what somebody said under a key of their own, so that saying it again does not do it again."""

from __future__ import annotations

from core.model.event import Event


class Done(Event):
    """The first event of its unit, which holds the key's claim; the `count` events after it are what was done.

    `operation` is its name, `question` 16 bytes that stand for all that was asked (`MasterKey.mark`).
    """

    by: str | None
    operation: str
    question: bytes
    count: int
